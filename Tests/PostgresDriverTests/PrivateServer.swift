import Foundation
import Glibc
import PostgresDriver

/// A PostgreSQL of one test, on a port of its own; stopped and removed with `stop`.
///
/// PostgreSQL refuses root, so that root runs it as `postgres`.
final class PrivateServer: @unchecked Sendable {
    private static let programs = "/usr/lib/postgresql/15/bin"
    /// `initdb` takes seconds; everybody copies what it made once.
    private static let template = Result { try PrivateServer.makeTemplate() }

    let folder: String
    let port: Int
    private var process: Process?

    var data: String { self.folder + "/data" }

    /// - Parameter copied: false leaves the data to be made by somebody else.
    init(copied: Bool = true) throws {
        self.folder = try Self.newFolder()
        self.port = try freePort()
        guard copied else { return }
        try Self.run(["cp", "-a", try Self.template.get(), self.data])
    }

    private static func newFolder(_ name: String = UUID().uuidString) throws -> String {
        let path = FileManager.default.temporaryDirectory.path + "/flotilla-pg-" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        if getuid() == 0 { try Self.run(["chown", "postgres:", path], dropped: false) }
        return path
    }

    private static func makeTemplate() throws -> String {
        let folder = try Self.newFolder("template-\(getpid())")
        atexit {
            let path = FileManager.default.temporaryDirectory.path + "/flotilla-pg-template-\(getpid())"
            try? FileManager.default.removeItem(atPath: path)
        }
        try Self.run([
            Self.programs + "/initdb", "-D", folder + "/data", "-A", "trust", "-U", "postgres", "-E", "UTF8",
            "--no-locale", "--no-sync",
        ])
        return folder + "/data"
    }

    /// Runs a program as the user of the server.
    static func run(_ command: [String], dropped: Bool = true) throws {
        let process = Self.process(command, dropped: dropped)
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw NeverHappened(description: "\(command[0]) ended with \(process.terminationStatus)")
        }
    }

    private static func process(_ command: [String], dropped: Bool) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        process.arguments = (dropped && getuid() == 0 ? drop : []) + command
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        return process
    }

    func program(_ name: String) -> String { Self.programs + "/" + name }

    func start(_ settings: [String: String] = [:]) async throws {
        let common = [
            "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder, "fsync": "off",
            "shared_buffers": "16MB",
        ]
        let all = common.merging(settings) { $1 }.flatMap { ["-c", "\($0)=\($1)"] }
        let process = Self.process(
            [Self.programs + "/postgres", "-D", self.data, "-p", "\(self.port)"] + all, dropped: true)
        try process.run()
        self.process = process
        try await eventually("the private server answers") {
            (try? BlockingPostgresConnection(self.superuser, deadline: .seconds(1))) != nil
        }
    }

    /// Stops at once, as `pg_ctl stop -m fast` does: backends are terminated.
    func stopFast() throws { try self.end(SIGINT) }

    /// As if the machine had lost its power, except for its disk: connections end without a word.
    func crash() throws { try self.end(SIGQUIT) }

    private func end(_ signal: CInt) throws {
        guard let process = self.process else { return }
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        self.process = nil
    }

    func stop() {
        try? self.end(SIGQUIT)
        try? FileManager.default.removeItem(atPath: self.folder)
    }

    /// By its socket, whatever is asked of those who come by network.
    var superuser: PostgresConfiguration {
        PostgresConfiguration(
            connectionString: "host=\(self.folder) port=\(self.port) user=postgres dbname=postgres")
    }

    func network(_ more: String = "", port: Int? = nil) -> PostgresConfiguration {
        PostgresConfiguration(
            connectionString:
                "host=127.0.0.1 port=\(port ?? self.port) user=postgres dbname=postgres \(more)",
            connectDeadline: .seconds(1))
    }

    @discardableResult
    func query(_ statement: PostgresStatement) throws -> PostgresRows {
        try BlockingPostgresConnection(self.superuser, deadline: .seconds(5))
            .query(statement, deadline: .seconds(10))
    }

    func setReadOnly(_ isReadOnly: Bool) throws {
        let connection = try BlockingPostgresConnection(self.superuser, deadline: .seconds(5))
        try connection.execute(
            script: "set default_transaction_read_only = off", deadline: .seconds(5))
        let value = isReadOnly ? "on" : "off"
        let change = PostgresStatement(
            unescaped: "alter system set default_transaction_read_only = \(value)")
        _ = try connection.query(change.unprepared(), deadline: .seconds(5))
        _ = try connection.query("select pg_reload_conf()", deadline: .seconds(5))
    }

    func replaceAccessRules(_ rules: String) throws {
        try Data((rules + "\n").utf8).write(to: URL(fileURLWithPath: self.data + "/pg_hba.conf"))
        if getuid() == 0 { try Self.run(["chown", "postgres:", self.data + "/pg_hba.conf"], dropped: false) }
    }
}

/// Runs `body` with a server of its own.
func withPrivateServer<Answer: Sendable>(
    _ settings: [String: String] = [:], _ body: (PrivateServer) async throws -> Answer
) async throws -> Answer {
    let server = try PrivateServer()
    defer { server.stop() }
    try await server.start(settings)
    return try await body(server)
}

/// A port of loopback that was free a moment ago.
func freePort() throws -> Int {
    let listener = try Listener()
    defer { listener.close() }
    return Int(listener.port)
}
