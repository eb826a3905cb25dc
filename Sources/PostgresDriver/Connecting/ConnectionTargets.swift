import CLibPQ

/// One keyword of a connection string.
package struct ConnectionSetting: Sendable, Equatable {
    package var name: String
    package var value: String
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
        self.targets = try Self.split(settings).map { target in
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

    /// Settings as the server's command line takes them.
    static func options(_ settings: [String: String]) -> String {
        settings.sorted { $0.key < $1.key }.map { name, value in
            let escaped = value.flatMap { $0 == " " || $0 == "\\" ? ["\\", $0] : [$0] }
            return "-c \(name)=" + String(escaped)
        }.joined(separator: " ")
    }

    private static func parse(_ text: String) throws(PostgresError) -> [String: String] {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(text, &message) else {
            defer { unsafe PQfreemem(message) }
            let reason = unsafe message.map { unsafe String(cString: $0).trimmed } ?? "out of memory"
            throw .didNotRun(.invalid("the connection string is not valid: \(reason)"))
        }
        defer { unsafe PQconninfoFree(options) }
        var settings: [String: String] = [:]
        var option = unsafe options
        while let name = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe settings[String(cString: name)] = unsafe String(cString: value)
            }
            unsafe option += 1
        }
        return settings
    }
}
