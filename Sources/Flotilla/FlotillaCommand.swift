import ArgumentParser
import Foundation

/// `flotilla`: every role of the program, each a subcommand.
@main
struct FlotillaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flotilla",
        abstract: "A clustered file-transfer service.",
        version: ProgramVersion.text,
        subcommands: [
            ServeCommand.self, ConfigCommand.self, ClusterCommand.self, NodesCommand.self,
            AccountsCommand.self,
            TransfersCommand.self, TokenCommand.self, LeasesCommand.self, WatchCommand.self,
            WebhooksCommand.self, EventsCommand.self,
            JobsCommand.self, SchedulesCommand.self, ShardsCommand.self, UploadsCommand.self,
            SessionsCommand.self, SimulateCommand.self,
        ])

    /// Prints one clear line for what is our own to explain, and ends with the code that goes with it.
    static func main() async {
        do {
            var command = try Self.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as any ExplainedError {
            FileHandle.standardError.write(Data("flotilla: \(error)\n".utf8))
            Foundation.exit(error.exitCode)
        } catch {
            Self.exit(withError: error)
        }
    }
}

enum ProgramVersion {
    static let text = "0.1.0"
}
