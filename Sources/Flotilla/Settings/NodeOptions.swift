import ArgumentParser
import Foundation

/// The flags that say how to reach database, cache, mount and ports; each stands over the environment and the file.
struct NodeOptions: ParsableArguments {
    @Option(help: "A YAML or JSON file with settings (FLOTILLA_CONFIG).")
    var config: String?
    @Option(help: "The node's name; else the free slot's worker-N.")
    var name: String?
    @Option(
        help:
            "An external PostgreSQL (libpq URL or connection string); without it an embedded one is started.")
    var databaseURL: String?
    @Option(help: "Connections of the node's pool to the database (2; 4 with an embedded one).")
    var databaseConnections: String?
    @Option(
        help: "A Redis to share as a cache: redis://127.0.0.1:6379, or redis+sentinel://host1,host2/mymaster."
    )
    var redisURL: String?
    @Option(help: "The folder with the files, shared by all nodes.")
    var mount: String?
    @Option(help: "The folder for the embedded database and the node's own state.")
    var data: String?
    @Option(help: "The address to listen on.")
    var bind: String?
    @Option(help: "The port for clients' files.")
    var filesPort: String?
    @Option(help: "The port for operators.")
    var adminPort: String?
    @Option(help: "The port where balancers ask how much the node takes (HAProxy's agent check).")
    var agentPort: String?
    @Option(help: "The host under which others reach this node.")
    var advertise: String?
    @Option(help: "Balancers whose X-Forwarded-For is believed, separated by commas; * for every peer.")
    var trustedProxies: String?
    @Option(help: "Requests that make the node full; its weight at the balancers follows from it (1024).")
    var capacity: String?
    @Option(help: "With so many requests in hand, more are answered with 503 (as many as the capacity).")
    var requestsMax: String?
    @Option(help: "The same for the requests of one account; 0 for any number (0).")
    var requestsAccount: String?
    @Option(help: "MiB of memory that uploads may hold; one more is answered with 503 (256).")
    var uploadsMemory: String?
    @Option(help: "Jobs of the queue that the node works on at a time (64).")
    var jobsMax: String?
    @Option(help: "Where webhooks may lead: internet, network or any (network).")
    var webhooksReach: String?
    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?
    @Option(help: "The user to become when started as root (flotilla).")
    var user: String?
    @Option(help: "Where to write the first admin token when there is no terminal.")
    var tokenFile: String?

    /// Reads all sources; throws ``SettingsError`` with every fault.
    func settings(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) async throws -> (settings: Settings, warnings: [String]) {
        let given: [(SettingKey, String?)] = [
            (.name, self.name), (.databaseURL, self.databaseURL),
            (.databaseConnections, self.databaseConnections), (.redisURL, self.redisURL),
            (.mount, self.mount),
            (.data, self.data), (.bind, self.bind), (.filesPort, self.filesPort),
            (.adminPort, self.adminPort), (.agentPort, self.agentPort),
            (.requestsMax, self.requestsMax), (.accountRequestsMax, self.requestsAccount),
            (.uploadsMemory, self.uploadsMemory), (.jobsMax, self.jobsMax),
            (.webhooksReach, self.webhooksReach),
            (.advertise, self.advertise), (.trustedProxies, self.trustedProxies), (.capacity, self.capacity),
            (.logLevel, self.logLevel), (.user, self.user),
            (.tokenFile, self.tokenFile),
        ]
        var flags: [SettingKey: String] = [:]
        for (key, value) in given { flags[key] = value }
        let source = try await SettingsSource(
            flags: flags, environment: environment, file: self.config ?? environment["FLOTILLA_CONFIG"])
        let settings = try Settings.read(from: source, as: .current(environment: environment))
        return (settings, source.warnings)
    }
}
