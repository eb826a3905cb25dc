import ArgumentParser
import ClusterPorts
import ClusterRuntime
import EmbeddedPostgres
import FileService
import Foundation
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop
import ServiceLifecycle
import SharedMount

/// `flotilla token`: tokens for operators, by whoever can reach the database.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Makes tokens for operators.", subcommands: [Issue.self])

    struct Issue: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a token and prints it once.",
            discussion: """
                Needs the database, not a token: run it where a node runs, with the node's settings. \
                A standalone node must be running, and so must a local cluster, whose folder is given with --data.
                """)

        @OptionGroup var options: NodeOptions
        @Option(help: "What people call the token.")
        var label: String = "issued at the command line"
        @Option(help: "admin, operator or auditor.")
        var role: String = "admin"
        @Option(help: "Days until it expires; without it the token does not.")
        var days: Int?

        private var wantedRole: OperatorToken.Role? { OperatorToken.Role(rawValue: self.role) }

        func validate() throws {
            if self.wantedRole == nil {
                throw ValidationError("--role: “\(self.role)” is none of admin, operator, auditor")
            }
            if let days, !(1...3_650).contains(days) {
                throw ValidationError("--days: \(days) is not between 1 and 3650")
            }
        }

        func run() async throws {
            guard let role = self.wantedRole else { return }
            let (settings, _) = try await self.options.settings()
            try ServiceUser.become(settings.user, owning: [])
            let logger = Logger(label: "flotilla", factory: { _ in SwiftLogNoOpLogHandler() })
            let loop = try ReadinessLoop(label: "drivers")
            let address = try Self.address(settings)
            let pool = try NodeFoundation.pool(
                PostgresStoreConfiguration(connectionString: address, node: "token", connections: 1),
                loop: loop,
                logger: logger)
            let expires = self.days.map { Date(timeIntervalSinceNow: Double($0) * 86_400) }
            let secret = try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await pool.run() }
                defer { group.cancelAll() }
                let desk = AccountDesk(
                    store: PostgresStore(pool: pool), vault: PosixVault(root: settings.mount, logger: logger),
                    standing: StandingBoard())
                return try await Self.explaining {
                    try await desk.issueToken(label: self.label, role: role, expiresAt: expires).secret
                }
            }
            print(secret)
        }

        private static func explaining(_ work: () async throws -> String) async throws -> String {
            do {
                return try await work()
            } catch AccountDeskError.notServing(let reason) {
                throw RuntimeError.databaseUnreachable(reason)
            } catch AccountDeskError.invalid(let field, let reason) {
                throw ValidationError("--\(field): \(reason)")
            }
        }

        private static func address(_ settings: Settings) throws -> String {
            switch settings.database {
            case .external(let url): return url
            case .embedded:
                guard let running = EmbeddedPostgres.connectionString(ofRunningIn: settings.data) else {
                    throw StartError(
                        description:
                            "No node runs in \(settings.data). Start it first, or give the --data or the "
                            + "--database-url of the one that you mean.", exitCode: 69)
                }
                return running
            }
        }
    }
}
