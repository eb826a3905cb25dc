import Foundation

/// Replaces a file's contents as a whole: readers see the old or the new text.
enum WholeFile {
    static func write(_ text: String, to path: String, owner: SystemUser) throws {
        let temporary = path + ".new-" + String(UInt64.random(in: .min ... .max), radix: 16)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw EmbeddedPostgresError.badFolder(path, reason: systemReason()) }
        let bytes = Array(text.utf8)
        var done = Foundation.write(file, bytes, bytes.count) == bytes.count
        if owner.id != geteuid() { done = done && fchown(file, owner.id, owner.group) == 0 }
        done = done && fsync(file) == 0
        done = close(file) == 0 && done
        done = done && rename(temporary, path) == 0
        guard done else {
            let reason = systemReason()
            unlink(temporary)
            throw EmbeddedPostgresError.badFolder(path, reason: reason)
        }
    }

    /// Makes a folder's entries durable.
    static func syncFolder(_ path: String) throws {
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw EmbeddedPostgresError.badFolder(path, reason: systemReason()) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw EmbeddedPostgresError.badFolder(path, reason: systemReason()) }
    }
}
