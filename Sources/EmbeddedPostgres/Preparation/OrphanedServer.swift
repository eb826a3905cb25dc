import Foundation
import Logging

/// Ends the server processes that an earlier run left in a data folder.
///
/// The kernel says which they are: a PostgreSQL process has its data folder as working folder. A process id
/// in `postmaster.pid` alone proves nothing, since ids are used again.
struct OrphanedServer {
    let folder: String
    let socketFolder: String
    let logger: Logger

    /// Returns when no process works in the folder and no stale `postmaster.pid` blocks the next start.
    ///
    /// Throws `EmbeddedPostgresError.orphanStays` when one does not end even by SIGKILL.
    func clear() async throws {
        for (signal, patience) in [(SIGINT, 20.0), (SIGQUIT, 5), (SIGKILL, 5)] {
            let orphans = self.processes()
            if orphans.isEmpty { break }
            self.end(orphans, by: signal)
            let deadline = ContinuousClock.now.advanced(by: .seconds(patience))
            while !self.processes().isEmpty, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        if let stubborn = self.processes().first { throw EmbeddedPostgresError.orphanStays(pid: stubborn) }
        self.removeStaleFile()
        // Nobody is left who could own these, and their process id may be somebody else's by now, too.
        let socket = "\(self.socketFolder)/.s.PGSQL.\(ServerSettings.port)"
        for path in [socket, socket + ".lock"] { unlink(path) }
    }

    /// Without their postmaster the others leave by themselves, so the gentle signal is for the postmaster
    /// only.
    private func end(_ orphans: [Int32], by signal: Int32) {
        let postmaster = PostmasterFile.read(in: self.folder)?.pid
        for pid in orphans where pid == postmaster || signal != SIGINT {
            self.logger.warning(
                "stopping a postgres of an earlier run",
                metadata: ["postgres.pid": "\(pid)", "signal": "\(signal)"])
            kill(pid, signal)
            kill(pid, SIGCONT)
        }
    }

    /// A living process that is none of ours would make the server believe that it runs already.
    private func removeStaleFile() {
        guard let pid = PostmasterFile.read(in: self.folder)?.pid, kill(pid, 0) == 0 || errno == EPERM else {
            return
        }
        self.logger.notice(
            "removing a stale postmaster.pid: its process id belongs to another program now",
            metadata: ["postgres.pid": "\(pid)"])
        unlink(self.folder + "/postmaster.pid")
    }

    /// Every PostgreSQL process that works in the folder.
    func processes() -> [Int32] {
        guard let real = realpath(self.folder, nil) else { return [] }
        defer { free(real) }
        let path = String(cString: real)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { pid in
            // The program's file is gone after a package upgrade; the kernel then adds " (deleted)".
            link("/proc/\(pid)/cwd") == path
                && link("/proc/\(pid)/exe")?.split(separator: "/").last?.hasPrefix("postgres") == true
        }
    }

    private func link(_ path: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: path)
    }
}
