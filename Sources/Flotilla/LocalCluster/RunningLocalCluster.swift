import Foundation

/// A cluster that another process runs, as seen through the files in its folder.
package struct RunningLocalCluster {
    let folder: LocalClusterFolder

    package init(folder: LocalClusterFolder) { self.folder = folder }

    /// Throws `LocalClusterError.notRunning` when its process is gone or has not written for 10 s.
    package func status() throws -> LocalClusterStatus {
        guard let status = StateFile.read(LocalClusterStatus.self, from: self.folder.status),
            kill(status.pid, 0) == 0 || errno == EPERM, Date().timeIntervalSince(status.updatedAt) < 10
        else { throw LocalClusterError.notRunning(folder: self.folder.root) }
        return status
    }

    /// Asks for a number of workers and waits until exactly these are ready.
    ///
    /// Throws `LocalClusterError` when none is running, a worker refuses, or the limit is over.
    package func scale(to workers: Int, within limit: Duration) async throws {
        _ = try self.status()
        try StateFile.write(ScaleWish(workers: workers), to: self.folder.wanted)
        let deadline = ContinuousClock.now.advanced(by: limit)
        while true {
            switch try self.status().progress(towards: workers) {
            case .reached: return
            case .underWay: break
            case .refused(let rows):
                let row = rows[0]
                throw LocalClusterError.refused(worker: row.name, words: row.lastLine ?? row.state)
            }
            guard ContinuousClock.now < deadline else {
                throw LocalClusterError.notReached(workers: workers, within: limit)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
