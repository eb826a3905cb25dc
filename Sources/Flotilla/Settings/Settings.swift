import ClusterModel
import Logging

/// Everything that must be known before the database can be reached; all else lives in the database.
struct Settings: Sendable, Equatable {
    enum Database: Sendable, Equatable {
        /// A private PostgreSQL in the data folder.
        case embedded
        /// A libpq connection string or URL.
        case external(String)
    }

    /// Nil takes the free slot's `worker-N`.
    var name: NodeName?
    /// Where the embedded database, its log and the first admin token live.
    var data: String
    var mount: String
    var database: Database
    var redisURL: String?
    var bind: String
    /// 0 takes any free port; for tests.
    var filesPort: Int
    var adminPort: Int
    /// Whether the ports were left to us, so that taken ones may be replaced by the next free.
    var portsAreDefaults: Bool
    /// The host under which other nodes and balancers reach this one.
    var advertise: String
    /// Requests that the node takes on at a time.
    var capacity: Int
    var logLevel: Logger.Level
    /// The user that the node becomes when it was started as root.
    var user: String?
    /// Where the first admin token goes when there is no terminal to show it on.
    var tokenFile: String

    var isStandalone: Bool { self.database == .embedded }
}

/// A setting: its key in the file, its flag, and its environment variable.
struct SettingKey: Sendable, Hashable, CustomStringConvertible {
    let key: String
    let secret: Bool

    init(_ key: String, secret: Bool = false) {
        self.key = key
        self.secret = secret
    }

    var path: [String] { self.key.split(separator: ".").map(String.init) }
    var flag: String { "--" + self.key.replacing(".", with: "-") }
    var variable: String {
        "FLOTILLA_" + self.key.uppercased().replacing(".", with: "_").replacing("-", with: "_")
    }
    var description: String { "\(self.key) (\(self.flag), \(self.variable))" }

    static let name = SettingKey("name")
    static let data = SettingKey("data")
    static let mount = SettingKey("mount")
    static let databaseURL = SettingKey("database.url", secret: true)
    static let redisURL = SettingKey("redis.url", secret: true)
    static let bind = SettingKey("bind")
    static let filesPort = SettingKey("files.port")
    static let adminPort = SettingKey("admin.port")
    static let advertise = SettingKey("advertise")
    static let capacity = SettingKey("capacity")
    static let logLevel = SettingKey("log.level")
    static let user = SettingKey("user")
    static let tokenFile = SettingKey("token.file")

    static let all: [SettingKey] = [
        .name, .data, .mount, .databaseURL, .redisURL, .bind, .filesPort, .adminPort, .advertise, .capacity,
        .logLevel, .user, .tokenFile,
    ]
}

/// What is wrong with the settings; each line names its setting.
struct SettingsError: ExplainedError, Equatable {
    var faults: [String]

    var description: String {
        self.faults.count == 1
            ? "A setting is wrong: \(self.faults[0])"
            : "\(self.faults.count) settings are wrong:" + self.faults.map { "\n  \($0)" }.joined()
    }
    /// EX_CONFIG.
    var exitCode: Int32 { 78 }
}
