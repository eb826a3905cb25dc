package import ClusterModel
package import Logging
package import WorkService

/// Everything that must be known before the database can be reached; all else lives in the database.
package struct Settings: Sendable, Equatable {
    package enum Database: Sendable, Equatable {
        /// A private PostgreSQL in the data folder.
        case embedded
        /// A libpq connection string or URL.
        case external(String)
    }

    /// Nil takes the free slot's `worker-N`.
    package var name: NodeName?
    /// Where the embedded database, its log and the first admin token live.
    package var data: String
    package var mount: String
    package var database: Database
    /// Connections of the pool; the heartbeat and the lock have two more.
    package var databaseConnections: Int
    package var redisURL: String?
    package var bind: String
    /// 0 takes any free port; for tests.
    package var filesPort: Int
    package var adminPort: Int
    /// Whether a port was left to us, so that a taken one may be replaced by the next free.
    package var filesPortIsDefault: Bool
    package var adminPortIsDefault: Bool
    /// Where balancers ask how much this node takes.
    package var agentPort: Int
    package var agentPortIsDefault: Bool
    /// The host under which other nodes and balancers reach this one.
    package var advertise: String
    /// Addresses of balancers whose `X-Forwarded-For` is believed; `*` believes every peer's.
    package var trustedProxies: Set<String>
    /// Requests that the node takes on at a time.
    package var capacity: Int
    /// With so many requests in hand the node refuses more with 503.
    package var requestsMax: Int
    /// The same for the requests of one account; nil for any number.
    package var accountRequestsMax: Int?
    /// What uploads may hold in memory at most, in MiB; one more upload is refused with 503.
    package var uploadsMemory: Int
    /// Jobs of the queue that the node works on at a time.
    package var jobsMax: Int
    /// Which addresses webhooks may have.
    package var webhooksReach: ReceiverReach
    package var logLevel: Logger.Level
    /// The user that the node becomes when it was started as root.
    package var user: String?
    /// Where the first admin token goes when there is no terminal to show it on.
    package var tokenFile: String

    package var isStandalone: Bool { self.database == .embedded }
}

/// A setting: its key in the file, its flag, and its environment variable.
package struct SettingKey: Sendable, Hashable, CustomStringConvertible {
    package let key: String
    package let secret: Bool

    package init(_ key: String, secret: Bool = false) {
        self.key = key
        self.secret = secret
    }

    package var path: [String] { self.key.split(separator: ".").map(String.init) }
    package var flag: String { "--" + self.key.replacing(".", with: "-") }
    package var variable: String {
        "FLOTILLA_" + self.key.uppercased().replacing(".", with: "_").replacing("-", with: "_")
    }
    package var description: String { "\(self.key) (\(self.flag), \(self.variable))" }

    package static let name = SettingKey("name")
    package static let data = SettingKey("data")
    package static let mount = SettingKey("mount")
    package static let databaseURL = SettingKey("database.url", secret: true)
    package static let databaseConnections = SettingKey("database.connections")
    package static let redisURL = SettingKey("redis.url", secret: true)
    package static let bind = SettingKey("bind")
    package static let filesPort = SettingKey("files.port")
    package static let adminPort = SettingKey("admin.port")
    package static let agentPort = SettingKey("agent.port")
    package static let advertise = SettingKey("advertise")
    package static let trustedProxies = SettingKey("trusted.proxies")
    package static let capacity = SettingKey("capacity")
    package static let requestsMax = SettingKey("requests.max")
    package static let accountRequestsMax = SettingKey("requests.account")
    package static let uploadsMemory = SettingKey("uploads.memory")
    package static let jobsMax = SettingKey("jobs.max")
    package static let webhooksReach = SettingKey("webhooks.reach")
    package static let logLevel = SettingKey("log.level")
    package static let user = SettingKey("user")
    package static let tokenFile = SettingKey("token.file")

    package static let all: [SettingKey] = [
        .name, .data, .mount, .databaseURL, .databaseConnections, .redisURL, .bind, .filesPort, .adminPort,
        .agentPort, .advertise, .trustedProxies, .capacity, .requestsMax, .accountRequestsMax, .uploadsMemory,
        .jobsMax, .webhooksReach, .logLevel, .user, .tokenFile,
    ]
}

/// What is wrong with the settings; each line names its setting.
package struct SettingsError: ExplainedError, Equatable {
    package var faults: [String]

    package var description: String {
        self.faults.count == 1
            ? "A setting is wrong: \(self.faults[0])"
            : "\(self.faults.count) settings are wrong:" + self.faults.map { "\n  \($0)" }.joined()
    }
    /// EX_CONFIG.
    package var exitCode: Int32 { 78 }
}
