import Foundation

/// A user of the operating system.
package struct SystemUser: Sendable, Equatable {
    package var name: String
    package var id: UInt32
    package var group: UInt32

    /// The user that this process runs as.
    package static func current() throws -> SystemUser {
        let id = geteuid()
        guard let user = Self.look({ getpwuid_r(id, $0, $1, $2, $3) }) else {
            throw EmbeddedPostgresError.userWithoutName(id: id)
        }
        return user
    }

    /// Looks a user up by name.
    package static func named(_ name: String) throws -> SystemUser {
        guard let user = Self.look({ getpwnam_r(name, $0, $1, $2, $3) }) else {
            throw EmbeddedPostgresError.unknownUser(name)
        }
        return user
    }

    /// Who the server runs as: never root, and another user than our own only if root asks for it.
    static func ofServer(named name: String?, startedBy own: SystemUser) throws -> SystemUser {
        let user = try name.map { try Self.named($0) } ?? own
        guard user.id != 0 else { throw EmbeddedPostgresError.runningAsRoot }
        guard own.id == 0 || user.id == own.id else { throw EmbeddedPostgresError.cannotBecome(user.name) }
        return user
    }

    func ifOther(than own: SystemUser) -> SystemUser? { self.id == own.id ? nil : self }

    private typealias Entry = UnsafeMutablePointer<passwd>
    private typealias Lookup = (
        Entry, UnsafeMutablePointer<CChar>, Int, UnsafeMutablePointer<Entry?>
    ) -> Int32

    private static func look(_ call: Lookup) -> SystemUser? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 << 10) { buffer in
            guard let base = buffer.baseAddress else { return nil }
            var entry = passwd()
            var found: Entry?
            guard call(&entry, base, buffer.count, &found) == 0, found != nil, let name = entry.pw_name else {
                return nil
            }
            return SystemUser(name: String(cString: name), id: entry.pw_uid, group: entry.pw_gid)
        }
    }
}
