import ClusterPorts
import Glibc

/// A system call that failed: its name and errno.
struct SystemFailure: Error, Equatable {
    var call: String
    var code: CInt

    /// Reads errno, so make it right after the call.
    static func now(_ call: String) -> SystemFailure { SystemFailure(call: call, code: errno) }

    var text: String { unsafe String(cString: strerror(self.code)) }

    /// What the caller of the vault learns; `what` names the thing within the mount.
    func about(_ what: String) -> VaultError {
        switch self.code {
        case ENOENT: .notFound(what)
        case EEXIST, ENOTEMPTY: .exists(what)
        case EISDIR, ENXIO: .notAFile(what)
        case ENOTDIR: .notAFolder(what)
        case ELOOP where self.call == "openat2", EXDEV where self.call == "openat2": .forbidden(what)
        case ENAMETOOLONG: .nameTooLong(what)
        case ENOSPC, EDQUOT: .full(what)
        case EROFS: .readOnly(what)
        case ENOSYS where self.call == "openat2":
            .failed(
                "openat2 is missing, it needs Linux 5.6 and a seccomp filter that allows it; \(Self.kernel)"
            )
        default: .failed("\(self.call) on \(what): \(self.text)")
        }
    }

    static var kernel: String {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return "this kernel does not say what it is" }
        let release = unsafe withUnsafeBytes(of: &name.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return "this kernel is \(release)"
    }
}

/// Runs system calls on one thing; a failure names that thing.
func naming<Answer>(
    _ what: @autoclosure () -> String, _ calls: () throws(SystemFailure) -> Answer
) throws(VaultError) -> Answer {
    do {
        return try calls()
    } catch {
        throw error.about(what())
    }
}
