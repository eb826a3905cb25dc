import CLinux
import ClusterModel
import ClusterPorts
import Glibc
import Synchronization

/// The opened root of the mount; everything is looked up beneath it.
///
/// Every call blocks.
final class MountRoot: Sendable {
    let folder: Descriptor
    let device: UInt64
    let inode: UInt64
    /// Renames that must not replace are made of links, as if the file system knew nothing better.
    let emulating: Bool
    /// On a disk of this machine: what is cached of it can be read without anybody else's doing.
    let isLocal: Bool
    /// Opened by the first file that is born in one.
    let cradles = Mutex<[Descriptor]?>(nil)

    /// Fails with `foreign` when the root is not there.
    init(path: String, emulating: Bool) throws(VaultError) {
        let folder: Descriptor
        do {
            folder = try Descriptor.folder(at: path)
        } catch {
            switch error.code {
            case ENOENT, ENOTDIR: throw .foreign("the folder of the mount is not there: \(error.text)")
            default: throw error.about("the root of the mount")
            }
        }
        // The first look-up shows whether the kernel has openat2; some seccomp filters say EPERM instead of
        // ENOSYS.
        do {
            _ = try folder.open([UInt8(ascii: ".")], flotilla_path_only | O_DIRECTORY)
        } catch {
            let code = error.code == EPERM ? ENOSYS : error.code
            throw SystemFailure(call: error.call, code: code).about("the root of the mount")
        }
        let status = try naming("the root of the mount") { () throws(SystemFailure) in try folder.status() }
        self.folder = folder
        self.device = status.device
        self.inode = status.inode
        self.emulating = emulating
        self.isLocal = flotilla_is_local(folder.raw) == 1
    }

    func isSame(as other: MountRoot) -> Bool { self.device == other.device && self.inode == other.inode }

    /// One of Flotilla's own folders, which are there since the mount was established.
    func openOwn(_ path: String) throws(VaultError) -> Descriptor {
        do {
            return try self.folder.openFolder(path)
        } catch {
            guard error.code == ENOENT else { throw error.about(path) }
            throw .foreign("the mount has no folder \(path): it is not Flotilla's, or it is damaged")
        }
    }

    /// Opens what stands at a path of a home.
    func open(_ path: HomePath, in account: AccountName, _ flags: CInt) throws(SystemFailure) -> Descriptor {
        let home = Layout.home(of: account)
        let rest = path.bytes
        if rest.isEmpty { return try self.folder.open(Array(home.utf8), flags) }
        let whole = Array("\(home)/".utf8) + rest
        // One look-up where the kernel's limit for a path allows it, else two.
        if whole.count < 4_096 { return try self.folder.open(whole, flags) }
        return try self.folder.openFolder(home).open(rest, flags)
    }

    func openFolder(_ path: HomePath, in account: AccountName) throws(SystemFailure) -> Descriptor {
        try self.open(path, in: account, O_RDONLY | O_DIRECTORY)
    }
}
