import EmbeddedPostgres
import Foundation
import Logging
import Testing

/// A data folder of its own in a short path, and who may run PostgreSQL on it.
struct ServerFixture {
    let folder: String
    /// Root cannot run PostgreSQL, so its tests run it as somebody else.
    let user: String?

    init() throws {
        self.user =
            geteuid() == 0 ? ((try? SystemUser.named("postgres")) == nil ? "nobody" : "postgres") : nil
        self.folder = "/tmp/fpg-" + String(UInt32.random(in: .min ... .max), radix: 16)
        try PrivateFolder.makeParents(self.folder, mode: 0o755)
    }

    func postgres(data: String? = nil) throws -> EmbeddedPostgres {
        let configuration = EmbeddedPostgresConfiguration(
            data: data ?? self.folder, user: self.user, runtimeFolder: nil, readyWithin: .seconds(60))
        return try EmbeddedPostgres(configuration: configuration, logger: quiet)
    }

    /// Runs a server around the body and stops it afterwards.
    func running<Result: Sendable>(
        data: String? = nil, _ body: @Sendable (EmbeddedPostgres) async throws -> Result
    ) async throws -> Result {
        let postgres = try self.postgres(data: data)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await postgres.run() }
            try await postgres.waitUntilReady()
            let result = try await body(postgres)
            group.cancelAll()
            try await group.waitForAll()
            return result
        }
    }

    /// Starts a program as the server's user and leaves it to the test to end it.
    func start(_ executable: String, _ arguments: [String]) async throws -> ChildProcess {
        let user = try self.user.map { try SystemUser.named($0) }
        return try await ChildProcess.start(
            ChildCommand(
                executable: executable, arguments: arguments, environment: ["PATH": "/usr/bin:/bin"],
                folder: "/",
                output: BoundedLog(path: self.folder + "/other.log", bytesMax: 1 << 20), deathSignal: SIGKILL,
                user: user))
    }

    func names(in path: String = "/postgres") -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: self.folder + path)) ?? []
    }

    /// The data folder of the only version in use.
    func dataFolder() throws -> String {
        let major = try #require(self.names().compactMap { Int($0) }.max())
        return "\(self.folder)/postgres/\(major)"
    }

    func remove() { try? FileManager.default.removeItem(atPath: self.folder) }
}

let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// What psql prints for a statement.
func psql(_ connection: String, _ statement: String) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/psql")
    process.arguments = ["-XAtq", "-d", connection, "-c", statement]
    process.currentDirectoryURL = URL(fileURLWithPath: "/")
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "psql says: \(text)")
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
}

func expect(
    _ statement: String, answers answer: String, on postgres: EmbeddedPostgres,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let text = try psql(postgres.connectionString, statement)
    #expect(text == answer, "\(statement)", sourceLocation: sourceLocation)
}

/// Polls until something is true; records an issue when it never is.
func eventually(
    _ what: Comment, within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () throws -> Bool
) async throws {
    let deadline = ContinuousClock.now.advanced(by: limit)
    while try !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record(what, sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
