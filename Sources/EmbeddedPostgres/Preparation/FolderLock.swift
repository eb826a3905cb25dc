import Foundation

/// One process at a time holds a folder; the kernel gives the lock back when its holder ends.
package final class FolderLock: Sendable {
    /// Somebody else holds it.
    package struct Held: Error {
        /// The holder, where it wrote itself down.
        package var pid: Int32?
    }

    private let descriptor: Int32

    /// Takes the lock or throws `Held` at once; `EmbeddedPostgresError` when the file cannot be made.
    package init(path: String) throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw EmbeddedPostgresError.badFolder(path, reason: systemReason()) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            var text = [UInt8](repeating: 0, count: 16)
            let count = read(file, &text, text.count)
            close(file)
            throw Held(pid: Int32(String(decoding: text.prefix(max(count, 0)), as: UTF8.self)))
        }
        let own = Array("\(getpid())".utf8)
        _ = ftruncate(file, 0)
        _ = write(file, own, own.count)  // A courtesy to whoever is refused; the lock does not need it.
        self.descriptor = file
    }

    /// Gives the lock back; call it once.
    package func release() { close(self.descriptor) }
}

/// What the last failed system call says.
package func systemReason(_ number: Int32 = errno) -> String { String(cString: strerror(number)) }
