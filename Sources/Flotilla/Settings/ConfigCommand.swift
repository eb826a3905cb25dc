import ArgumentParser
import ClusterModel
import Foundation
import Logging

/// `flotilla config`: looks at settings without starting anything.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Looks at the settings.", subcommands: [Check.self])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Checks the settings and shows what a node would start with.")

        @OptionGroup var options: NodeOptions

        func run() async throws {
            let (settings, warnings) = try await self.options.settings()
            for line in SettingsTable.lines(settings) { print(line) }
            for warning in warnings { print("warning: \(warning)") }
            print("The settings are fine.")
        }
    }
}

/// Settings for people to read; secrets stay hidden.
package enum SettingsTable {
    package static func lines(_ settings: Settings) -> [String] {
        let rows: [(SettingKey, String)] = [
            (.name, settings.name?.description ?? "(the free slot's worker-N)"),
            (.data, settings.data),
            (.mount, settings.mount),
            (.databaseURL, settings.isStandalone ? "(embedded)" : "(given)"),
            (.databaseConnections, "\(settings.databaseConnections)"),
            (.redisURL, settings.redisURL == nil ? "(none: caching in the process only)" : "(given)"),
            (.bind, settings.bind),
            (.filesPort, "\(settings.filesPort)"),
            (.adminPort, "\(settings.adminPort)"),
            (.agentPort, "\(settings.agentPort)"),
            (.advertise, settings.advertise),
            (.trustedProxies, settings.trustedProxies.sorted().joined(separator: ",")),
            (.capacity, "\(settings.capacity)"),
            (.requestsMax, "\(settings.requestsMax)"),
            (.accountRequestsMax, settings.accountRequestsMax.map { "\($0)" } ?? "(any number)"),
            (.uploadsMemory, "\(settings.uploadsMemory) MiB"),
            (.jobsMax, "\(settings.jobsMax)"),
            (.logLevel, settings.logLevel.rawValue),
            (.user, settings.user ?? "(flotilla, when started as root)"),
            (.tokenFile, settings.tokenFile),
        ]
        let width = rows.map { $0.0.key.count }.max() ?? 0
        return rows.map { key, value in
            key.key.padding(toLength: width + 2, withPad: " ", startingAt: 0) + value
        }
    }
}
