import EmbeddedPostgres
package import Foundation

/// What `status.json` says about a local cluster, written at each change and once a second.
package struct LocalClusterStatus: Sendable, Equatable, Codable {
    package struct Row: Sendable, Equatable, Codable {
        package var name: String
        package var state: String
        package var pid: Int32?
        package var filesPort: Int?
        package var adminPort: Int?
        package var startedAt: Date?
        package var restarts: Int
        package var lastLine: String?

        package init(
            name: String, state: String, pid: Int32? = nil, filesPort: Int? = nil, adminPort: Int? = nil,
            startedAt: Date? = nil, restarts: Int = 0, lastLine: String? = nil
        ) {
            self.name = name
            self.state = state
            self.pid = pid
            self.filesPort = filesPort
            self.adminPort = adminPort
            self.startedAt = startedAt
            self.restarts = restarts
            self.lastLine = lastLine
        }
    }

    /// The process of `flotilla cluster up`.
    package var pid: Int32
    package var updatedAt: Date
    package var workersWanted: Int
    package var filesAddress: String
    package var adminAddress: String
    package var folder: String
    package var rows: [Row]

    package init(
        pid: Int32, updatedAt: Date, workersWanted: Int, filesAddress: String, adminAddress: String,
        folder: String,
        rows: [Row]
    ) {
        self.pid = pid
        self.updatedAt = updatedAt
        self.workersWanted = workersWanted
        self.filesAddress = filesAddress
        self.adminAddress = adminAddress
        self.folder = folder
        self.rows = rows
    }

    package var workers: [Row] { self.rows.filter { $0.name.hasPrefix("worker-") } }

    /// How far a wish for some number of workers has come.
    package enum Progress: Sendable, Equatable {
        case reached
        case underWay
        /// These refuse to run.
        case refused([Row])
    }

    package func progress(towards wanted: Int) -> Progress {
        guard self.workersWanted == wanted else { return .underWay }
        let refused = self.workers.filter { $0.state.hasPrefix("refused") }
        if !refused.isEmpty { return .refused(refused) }
        return self.workers.count == wanted && self.workers.allSatisfy { $0.state == "ready" }
            ? .reached : .underWay
    }
}

extension LocalClusterPlan.Phase {
    /// One word or two for the table.
    package var label: String {
        switch self {
        case .waiting: "waiting"
        case .starting: "starting"
        case .ready: "ready"
        case .silent: "not ready"
        case .ended(.killed(let signal), _): "killed (signal \(signal))"
        case .ended(.exited(let code), _): "ended (exit code \(code))"
        case .refused(let code): "refused (exit code \(code))"
        case .stopping: "stopping"
        case .killing: "killing"
        }
    }
}
