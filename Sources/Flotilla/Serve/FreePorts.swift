import Foundation

/// Chooses the ports to listen on: those that were asked for, or the next free ones where none were.
enum FreePorts {
    struct Choice: Equatable {
        var files: Int
        var admin: Int
        var notes: [String]
    }

    /// How far to look for a free one.
    static let reach = 100

    static func choose(_ settings: Settings) throws -> Choice {
        guard settings.portsAreDefaults else {
            return Choice(files: settings.filesPort, admin: settings.adminPort, notes: [])
        }
        let files = try Self.next(from: settings.filesPort, on: settings.bind, avoiding: nil)
        let admin = try Self.next(from: settings.adminPort, on: settings.bind, avoiding: files)
        var notes: [String] = []
        if files != settings.filesPort {
            notes.append("port \(settings.filesPort) is taken; files are at \(files)")
        }
        if admin != settings.adminPort {
            notes.append("port \(settings.adminPort) is taken; the admin side is at \(admin)")
        }
        return Choice(files: files, admin: admin, notes: notes)
    }

    private static func next(from first: Int, on host: String, avoiding taken: Int?) throws -> Int {
        for port in first..<min(first + Self.reach, 65_536) where port != taken && Self.isFree(port, on: host)
        {
            return port
        }
        throw StartError(
            description:
                "No port from \(first) to \(first + Self.reach - 1) is free. Give --files-port and --admin-port.",
            exitCode: 69)
    }

    /// Whether somebody could listen there now.
    ///
    /// What happens until the node listens shows then.
    static func isFree(_ port: Int, on host: String) -> Bool {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let address = found else { return true }
        defer { freeaddrinfo(found) }
        let descriptor = socket(address.pointee.ai_family, address.pointee.ai_socktype, 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        return bind(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0
    }
}
