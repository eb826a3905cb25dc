import CLinux
import EmbeddedPostgres
import Foundation

/// The user that a node becomes when root started it: root only launches.
struct ServiceUser: Sendable, Equatable {
    var name: String
    var user: uid_t
    var group: gid_t

    /// The wanted user, else `flotilla` (made at install), else `nobody`.
    static func find(_ wanted: String?) throws -> ServiceUser {
        for name in wanted.map({ [$0] }) ?? ["flotilla", "nobody"] {
            guard let entry = getpwnam(name) else { continue }
            return ServiceUser(name: name, user: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
        }
        throw StartError(
            description: "There is no user “\(wanted ?? "flotilla")” to run as. Make one, or give --user.",
            exitCode: 67)
    }

    /// When root started us: gives the new folders to the service user, gives up root for good, and executes the
    /// program again, so that no thread of it ever was root.
    ///
    /// Returns only for everybody else.
    ///
    /// The state folder of the new program is `/var/lib/flotilla`, as it was root's.
    static func become(_ wanted: String?, owning folders: [String]) throws {
        guard geteuid() == 0 else {
            for folder in folders { try Self.make(folder) }
            return
        }
        let service = try Self.find(wanted)
        for folder in folders { try Self.give(folder, to: service) }
        guard flotilla_drop_rights(service.name, service.user, service.group) == 0 else {
            throw StartError(
                description: "Root could not be given up for the user \(service.name): "
                    + String(cString: strerror(errno)), exitCode: 77)
        }
        for folder in folders { try Self.checkReachable(folder, by: service) }
        setenv("HOME", Self.rootsStateFolder, 1)
        setenv("XDG_STATE_HOME", "/var/lib", 1)
        if chdir(".") != 0 || access(".", R_OK | X_OK) != 0 { chdir("/") }
        var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        execv("/proc/self/exe", arguments)
        throw StartError(
            description: "The program could not be executed again as \(service.name): "
                + String(cString: strerror(errno)), exitCode: 71)
    }

    static let rootsStateFolder = "/var/lib/flotilla"

    /// A folder that is not there is made, and one that is empty is taken; any other stays whose it is.
    private static func give(_ folder: String, to service: ServiceUser) throws {
        try Self.make(folder)
        let attributes = try? FileManager.default.attributesOfItem(atPath: folder)
        guard (attributes?[.ownerAccountID] as? NSNumber)?.uint32Value != service.user else { return }
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? ["?"]
        guard entries.isEmpty else { return }
        guard chown(folder, service.user, service.group) == 0 else {
            throw StartError(
                description: "The folder \(folder) cannot be given to the user \(service.name): "
                    + String(cString: strerror(errno)), exitCode: 73)
        }
    }

    private static func make(_ folder: String) throws {
        do {
            try PrivateFolder.makeParents(folder, mode: 0o755)
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue
            else {
                throw EmbeddedPostgresError.badFolder(folder, reason: "it is not a folder")
            }
        } catch EmbeddedPostgresError.badFolder(let path, let reason) {
            let parent = String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex))
            let closed = reason == systemReason(EACCES) ? Self.closed(onTheWayTo: parent) : nil
            let hint = closed.map { " (\($0) does not let this user pass)" } ?? ""
            throw StartError(
                description: "The folder \(path) cannot be made: \(reason)\(hint).", exitCode: 73)
        }
    }

    /// Says why the service user could not work in a folder, where that is so.
    private static func checkReachable(_ folder: String, by service: ServiceUser) throws {
        guard access(folder, R_OK | W_OK | X_OK) != 0 else { return }
        let reason =
            Self.closed(onTheWayTo: folder).map { "\($0) does not let it pass" }
            ?? "it belongs to somebody else and is not empty, so it was not taken (chown it, or give --user)"
        throw StartError(
            description: "The user \(service.name) cannot use \(folder): \(reason).", exitCode: 77)
    }

    /// The first folder that the present user cannot pass through.
    private static func closed(onTheWayTo folder: String) -> String? {
        var path = ""
        for part in folder.split(separator: "/") {
            path += "/" + part
            if access(path, X_OK) != 0 { return errno == EACCES ? path : nil }
        }
        return nil
    }
}
