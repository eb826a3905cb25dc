import ArgumentParser
import ClusterRuntime
import Foundation
import Logging

/// `flotilla serve`: one node, until it is told to stop.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Runs a node: standalone on an embedded database, or as a member of a cluster.",
        discussion: """
            Without --database-url the node is standalone: it starts a private PostgreSQL in its data folder. With one, all
            nodes that share the database and the mount form a cluster.
            """)

    @OptionGroup var options: NodeOptions

    func run() async throws {
        var (settings, warnings) = try await self.options.settings()
        let owned = settings.isStandalone ? [settings.data, settings.mount] : [settings.data]
        try ServiceUser.become(settings.user, owning: owned)
        let ports = try FreePorts.choose(settings)
        settings.filesPort = ports.files
        settings.adminPort = ports.admin
        warnings += ports.notes
        let logger = Self.logger(settings)
        for warning in warnings { logger.warning("\(warning)") }
        do {
            try await NodeFoundation(settings: settings, logger: logger).run()
        } catch let error as RuntimeError {
            throw StartError(description: error.description, exitCode: error.exitCode)
        }
    }

    private static func logger(_ settings: Settings) -> Logger {
        var logger = Logger(label: "flotilla", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = settings.logLevel
        return logger
    }
}
