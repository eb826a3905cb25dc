import Foundation

/// What `postmaster.pid` says about the server of a data folder.
package struct PostmasterFile: Sendable, Equatable {
    var pid: Int32
    package var socketFolder: String
    /// `starting`, `ready`, `stopping` or `standby`; empty while the server has not come that far.
    var status: String

    package init?(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first, let pid = Int32(first), pid > 0 else { return nil }
        self.pid = pid
        self.socketFolder = lines.count > 4 ? String(lines[4]) : ""
        self.status = lines.count > 7 ? lines[7].trimmingCharacters(in: .whitespaces) : ""
    }

    /// Whether this very process accepts connections.
    package func isReady(pid: Int32) -> Bool { self.pid == pid && self.status == "ready" }

    /// Nil when there is none, or when it is being written.
    static func read(in folder: String) -> PostmasterFile? {
        (try? String(contentsOfFile: folder + "/postmaster.pid", encoding: .utf8)).flatMap {
            PostmasterFile($0)
        }
    }
}

extension EmbeddedPostgres {
    /// How to reach the server that another process runs on a data folder; nil when none is ready there.
    package static func connectionString(ofRunningIn data: String) -> String? {
        let folder = absolutePath(data) + "/postgres"
        return DataLayout.majors(in: folder).max()
            .flatMap { PostmasterFile.read(in: "\(folder)/\($0)") }
            .flatMap {
                $0.status == "ready" ? ServerSettings.connectionString(socketFolder: $0.socketFolder) : nil
            }
    }
}
