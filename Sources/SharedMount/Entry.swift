import CLinux
import ClusterPorts
import Glibc

/// One name in an open folder.
struct Entry {
    var folder: Descriptor
    var name: [UInt8]

    /// What stands there; nil when nothing does.
    func status() throws(SystemFailure) -> FileStatus? {
        guard let raw = try self.folder.status(of: self.name) else { return nil }
        return FileStatus(raw)
    }

    func identity() throws(SystemFailure) -> FileIdentity? { try self.status()?.identity }
}

extension FileStatus {
    init(_ raw: flotilla_file_status) {
        let kind: Kind =
            switch raw.mode & UInt32(S_IFMT) {
            case UInt32(S_IFREG): .file
            case UInt32(S_IFDIR): .folder
            case UInt32(S_IFLNK): .link
            default: .other
            }
        let isFolder = kind == .folder
        let identity = FileIdentity(
            inode: raw.inode, size: isFolder ? 0 : Int64(clamping: raw.size),
            // A folder's number is used again at once, its birth is not.
            modified: isFolder ? raw.born_ns : raw.modified_ns, isFolder: isFolder)
        self.init(kind: kind, identity: identity, changed: raw.changed_ns, modified: raw.modified_ns)
    }
}
