import ArgumentParser
import CLinux
import Foundation
import Logging

/// `flotilla serve`: one node, until it is told to stop.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Runs a node: standalone on an embedded database, or as a member of a cluster.",
        discussion: """
            Without --database-url the node is standalone: it starts a private PostgreSQL in its data folder. \
            With one, all nodes that share the database and the mount form a cluster.

            Each setting is a flag, an environment variable (FLOTILLA_DATABASE_URL) or a line of the file, and the \
            first of these counts. Secrets do not belong on the command line, where others can see them: \
            FLOTILLA_DATABASE_URL_FILE and FLOTILLA_REDIS_URL_FILE name files that hold them.
            """)

    @OptionGroup var options: NodeOptions

    /// Far above what the limits of connections and uploads ask for.
    private static let openFiles: UInt64 = 65_536

    func run() async throws {
        var (settings, warnings) = try await self.options.settings()
        let owned = settings.isStandalone ? [settings.data, settings.mount] : [settings.data]
        try ServiceUser.become(settings.user, owning: owned)
        // Connections, files and folders that are open: what a shell allows by itself is often 1,024.
        _ = flotilla_raise_open_files(Self.openFiles)
        let ports = try FreePorts.choose(settings)
        settings.filesPort = ports.files
        settings.adminPort = ports.admin
        settings.agentPort = ports.agent
        let logger = Self.logger(settings)
        for warning in warnings { logger.warning("\(warning)") }
        try await NodeFoundation(settings: settings, notes: ports.notes, logger: logger).run()
    }

    private static func logger(_ settings: Settings) -> Logger {
        var logger = Logger(label: "flotilla", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = settings.logLevel
        return logger
    }
}
