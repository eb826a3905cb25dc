/// What a local cluster is started with.
package struct LocalClusterOptions: Sendable, Equatable {
    /// The member limit of a cluster as it is made: every slot has its ports from the first start on.
    package static let workersMax = 20

    package var workers: Int
    /// Holds everything: database, shared folder, logs, state.
    package var folder: String
    /// The first port to try for the balancer's file address.
    package var port: Int = 8080
    package var useBalancer: Bool = true
    package var useRedis: Bool = true
    /// The program of the workers: this one, even if its file was replaced since.
    package var executable: String = "/proc/self/exe"
    /// Who runs PostgreSQL when root starts the cluster (see `EmbeddedPostgresConfiguration`).
    package var databaseUser: String?
    /// Whether the table is written at all.
    package var isQuiet: Bool = false

    package init(workers: Int, folder: String) {
        self.workers = workers
        self.folder = folder
    }

    /// The folders to try when none is named: the user's state folder, then those for users without a home.
    package static func defaultFolders(environment: [String: String], home: String, user: UInt32) -> [String]
    {
        let state =
            environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? home + "/.local/state"
        return [
            state + "/flotilla/cluster", "/var/lib/flotilla/cluster", "/var/tmp/flotilla-\(user)/cluster",
        ]
    }
}

/// Where things lie in the folder of a local cluster.
package struct LocalClusterFolder: Sendable, Equatable {
    package var root: String

    package init(root: String) { self.root = root }

    var lock: String { self.root + "/cluster.lock" }
    var ports: String { self.root + "/ports.json" }
    var wanted: String { self.root + "/wanted.json" }
    package var status: String { self.root + "/status.json" }
    /// The first admin token, written by the worker that made it.
    package var adminToken: String { self.root + "/admin-token" }
    package var mount: String { self.root + "/mount" }
    package var logs: String { self.root + "/logs" }
    var redis: String { self.root + "/redis" }
    var balancerConfiguration: String { self.root + "/haproxy.cfg" }

    func log(of child: LocalChild) -> String { "\(self.logs)/\(child.name).log" }
    func data(ofWorker number: Int) -> String { "\(self.root)/worker-\(number)" }
}
