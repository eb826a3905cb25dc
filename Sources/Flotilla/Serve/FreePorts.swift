import Foundation

/// Chooses the ports to listen on: those that were asked for, or the next free ones where none were.
package enum FreePorts {
    package struct Choice: Equatable {
        package var files: Int
        package var admin: Int
        package var agent: Int
        /// For the person who started the node: which default was taken.
        package var notes: [String] = []
    }

    /// How far to look for a free one.
    static let reach = 100

    /// Throws when a port that was asked for is taken: better now than after a database was started.
    package static func choose(
        _ settings: Settings, isFree: (Int, String) -> Bool = Self.isFree
    ) throws -> Choice {
        guard isFree(0, settings.bind) else {
            throw SettingsError(faults: [
                "\(SettingKey.bind): “\(settings.bind)” is no address of this machine"
            ])
        }
        var choice = Choice(
            files: settings.filesPort, admin: settings.adminPort, agent: settings.agentPort)
        let wishes: [(key: SettingKey, port: Int, isDefault: Bool, place: WritableKeyPath<Choice, Int>)] = [
            (.filesPort, settings.filesPort, settings.filesPortIsDefault, \.files),
            (.adminPort, settings.adminPort, settings.adminPortIsDefault, \.admin),
            (.agentPort, settings.agentPort, settings.agentPortIsDefault, \.agent),
        ]
        // What was asked for comes first, so that a default never takes it.
        var taken = Set<Int>()
        for wish in wishes where !wish.isDefault {
            taken.insert(wish.port)
            guard wish.port == 0 || isFree(wish.port, settings.bind) else {
                throw StartError(
                    description:
                        "Port \(wish.port) on \(settings.bind) is taken or not allowed. Choose another \(wish.key.flag).",
                    exitCode: 69)
            }
        }
        for wish in wishes where wish.isDefault {
            let found = try Self.next(from: wish.port, settings.bind, avoiding: taken, isFree)
            taken.insert(found)
            choice[keyPath: wish.place] = found
            if found != wish.port {
                choice.notes.append("port \(wish.port) is taken, so it is \(found)")
            }
        }
        return choice
    }

    private static func next(
        from first: Int, _ host: String, avoiding taken: Set<Int>, _ isFree: (Int, String) -> Bool
    ) throws -> Int {
        for port in first..<min(first + Self.reach, 65_536) where !taken.contains(port) && isFree(port, host)
        {
            return port
        }
        throw StartError(
            description:
                "No port from \(first) to \(first + Self.reach - 1) is free. Give --files-port, --admin-port and --agent-port.",
            exitCode: 69)
    }

    /// Whether somebody could listen there now; 0 asks for any port.
    ///
    /// What happens until the node listens shows then.
    package static func isFree(_ port: Int, on host: String) -> Bool {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let address = found else { return false }
        defer { freeaddrinfo(found) }
        let descriptor = socket(address.pointee.ai_family, address.pointee.ai_socktype, 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        return bind(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0
    }
}
