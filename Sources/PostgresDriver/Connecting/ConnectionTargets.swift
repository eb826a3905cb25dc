import CLibPQ

/// One keyword of a connection string.
package struct ConnectionSetting: Sendable, Equatable {
    package var name: String
    package var value: String
}

/// Shows the value only where it cannot be a secret.
extension ConnectionSetting: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// What may stand in logs and errors; everything else may not.
    static let harmless: Set<String> = [
        "host", "hostaddr", "port", "dbname", "user", "service", "sslmode", "target_session_attrs",
        "application_name",
    ]

    package var description: String {
        Self.harmless.contains(self.name) ? "\(self.name)=\(self.value)" : "\(self.name)=…"
    }
    package var debugDescription: String { self.description }
    package var customMirror: Mirror { Mirror(self, children: ["setting": self.description]) }
}

/// The hosts that a configuration names, each with all that libpq needs to connect to it alone.
///
/// Libpq would go through the hosts itself, but resolves the later ones in the middle of its non-blocking
/// steps and would let a silent host use up all the time. So the driver goes through them.
package struct ConnectionTargets: Sendable, Equatable {
    private(set) package var targets: [[ConnectionSetting]]

    package init(_ configuration: PostgresConfiguration) throws(PostgresError) {
        var settings = try Self.parse(configuration.connectionString)
        settings.merge(configuration.parameters) { $1 }
        settings["client_encoding"] = "UTF8"  // Strings are UTF-8 here, whatever the environment says.
        let options = Self.options(configuration.sessionSettings)
        if !options.isEmpty {
            settings["options"] = [settings["options"], options].compactMap { $0 }.joined(separator: " ")
        }
        // Where the string leaves it open, the environment or a service file may name several hosts.
        let complete = try ConnectionDefaults.complete(settings)
        for name in ["host", "hostaddr", "port", "target_session_attrs"] where settings[name] == nil {
            settings[name] = complete[name]
        }
        let targets = Self.byPreference(try Self.split(settings))
        self.targets = targets.map { target in
            target.sorted { $0.key < $1.key }.map { ConnectionSetting(name: $0.key, value: $0.value) }
        }
    }

    /// One set of settings for each host; the lists of hosts, addresses and ports go in step.
    static func split(_ settings: [String: String]) throws(PostgresError) -> [[String: String]] {
        func list(_ name: String) -> [String]? {
            guard let text = settings[name], !text.isEmpty else { return nil }
            return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"))
        guard let count = addresses?.count ?? hosts?.count, count > 1 else { return [settings] }
        if let hosts, hosts.count != count {
            throw .didNotRun(.invalid("\(hosts.count) values of host, but \(count) of hostaddr"))
        }
        if let ports, ports.count != count, ports.count != 1 {
            throw .didNotRun(.invalid("\(ports.count) values of port, but \(count) hosts"))
        }
        return (0..<count).map { index in
            var one = settings
            if let hosts { one["host"] = hosts[index] }
            if let addresses { one["hostaddr"] = addresses[index] }
            if let ports { one["port"] = ports.count == 1 ? ports[0] : ports[index] }
            return one
        }
    }

    /// A standby that is only preferred is looked for at all hosts, before all are asked again for anything.
    ///
    /// Libpq does the same where it knows of all hosts; of one alone it would take whatever it is.
    private static func byPreference(_ targets: [[String: String]]) -> [[String: String]] {
        guard targets.first?["target_session_attrs"] == "prefer-standby" else { return targets }
        return ["standby", "any"].flatMap { wish in
            targets.map { $0.merging(["target_session_attrs": wish]) { $1 } }
        }
    }

    /// Settings as the server's command line takes them.
    static func options(_ settings: [String: String]) -> String {
        settings.sorted { $0.key < $1.key }.map { name, value in
            let escaped = value.flatMap { $0 == " " || $0 == "\\" ? ["\\", $0] : [$0] }
            return "-c \(name)=" + String(escaped)
        }.joined(separator: " ")
    }

    static func parse(_ text: String) throws(PostgresError) -> [String: String] {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(text, &message) else {
            defer { unsafe PQfreemem(message) }
            let reason = unsafe message.map { unsafe String(cString: $0).trimmed } ?? "out of memory"
            throw .didNotRun(
                .invalid("the connection string is not valid: \(Self.withoutSecrets(reason, of: text))"))
        }
        defer { unsafe PQconninfoFree(options) }
        return unsafe ConnectionHandle.dictionary(options)
    }

    /// Libpq quotes the part that it does not understand, and that may be half of a password.
    static func withoutSecrets(_ message: String, of text: String) -> String {
        guard text.contains("password") || text.contains("@") else { return message }
        let parts = message.split(separator: "\"", omittingEmptySubsequences: false)
        return parts.enumerated().map { index, part in
            index % 2 == 1 && part.count > 1 ? "…" : String(part)
        }.joined(separator: "\"")
    }

    /// For messages: which host it is about.
    static func name(of target: [ConnectionSetting]) -> String {
        func value(_ name: String) -> String? { target.first { $0.name == name }?.value }
        let host = value("host") ?? value("hostaddr") ?? "the local socket"
        return value("port").map { "\(host) port \($0)" } ?? host
    }
}
