import Foundation

/// Makes folders that nobody else can enter, and refuses those that somebody else made.
package enum PrivateFolder {
    /// Makes a folder of mode 0700 for a user, or checks that it is one; parents must exist.
    ///
    /// Throws `EmbeddedPostgresError.badFolder` for links, files and folders of other users.
    package static func make(_ path: String, for user: SystemUser) throws {
        if mkdir(path, 0o700) == 0 {
            if user.id != geteuid(), lchown(path, user.id, user.group) != 0 { throw Self.bad(path) }
        } else if errno != EEXIST {
            throw Self.bad(path)
        }
        var status = stat()
        guard lstat(path, &status) == 0 else { throw Self.bad(path) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Self.bad(path, "it is not a folder") }
        guard status.st_uid == user.id else {
            throw Self.bad(path, "it belongs to user id \(status.st_uid), not to \(user.name)")
        }
        if status.st_mode & 0o077 != 0, chmod(path, 0o700) != 0 { throw Self.bad(path) }
    }

    /// Makes a folder with all its parents; existing ones stay as they are.
    package static func makeParents(_ path: String, mode: UInt32) throws {
        var made = ""
        let parts = path.split(separator: "/")
        for (index, part) in parts.enumerated() {
            made += "/" + part
            let last = index == parts.count - 1
            if mkdir(made, last ? mode : 0o755) != 0, errno != EEXIST {
                let reason = errno
                var status = stat()
                if stat(made, &status) != 0 { throw Self.bad(made, systemReason(reason)) }
            }
        }
    }

    /// The first folder on the way that a user cannot enter; nil when the way is free.
    static func obstacle(to path: String, for user: SystemUser) -> String? {
        var reached = ""
        for part in path.split(separator: "/") {
            reached += "/" + part
            var status = stat()
            guard stat(reached, &status) == 0 else { return nil }  // Named when it is made.
            let bit: mode_t =
                status.st_uid == user.id ? S_IXUSR : status.st_gid == user.group ? S_IXGRP : S_IXOTH
            if status.st_mode & bit == 0 { return reached }
        }
        return nil
    }

    private static func bad(_ path: String, _ reason: String = systemReason()) -> EmbeddedPostgresError {
        .badFolder(path, reason: reason)
    }
}

extension SocketFolder {
    /// The folder for a user's sockets, if it is really that user's own.
    static func usableRuntimeFolder(_ path: String?, for user: SystemUser) -> String? {
        var status = stat()
        guard let path, lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
        return status.st_uid == user.id && status.st_mode & 0o077 == 0 ? path : nil
    }
}
