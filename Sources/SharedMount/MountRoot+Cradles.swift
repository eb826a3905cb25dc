import CLinux
import ClusterModel
import ClusterPorts
import Glibc
import Synchronization

import struct Foundation.UUID

/// Staged files of local disks begin without a name, and get it when they are whole.
///
/// So the folder of staging is not locked while the file system looks for an inode, and what a node leaves behind
/// unfinished goes by itself. Which part of the disk a file gets is told by the folder it begins in, and ext4 puts all of
/// one folder together: cradles are spread over the disk (docs/mount.md).
extension MountRoot {
    private static let canLink = unsafe access("/proc/self/fd", F_OK) == 0

    /// A file to be written; its name in staging comes later at some file systems.
    func begin(_ operation: UUID, for incarnation: Incarnation) throws(VaultError) -> StagedWriting {
        let name = self.freshName(operation, incarnation)
        return try naming("staging \(name)") { () throws(SystemFailure) in
            let folder = try self.folder.openFolder(Layout.folder(of: name))
            if let file = self.nameless(beside: folder) {
                return StagedWriting(file: file, name: name, in: folder, isNamed: false)
            }
            return StagedWriting(file: try folder.create(name), name: name, in: folder, isNamed: true)
        }
    }

    /// Nil where the file system, or what is known of it, does not allow it.
    private func nameless(beside staging: Descriptor) -> Descriptor? {
        guard self.isLocal, Self.canLink else { return nil }
        let cradles = self.cradles.withLock { known in
            if let known { return known }
            let found = (0..<Layout.cradleCount).compactMap {
                try? self.folder.openFolder("\(Layout.cradles)/\($0)")
            }
            known = found
            return found
        }
        let cradle = cradles.randomElement() ?? staging
        let raw = retried { flotilla_open_nameless(cradle.raw, Layout.fileMode) }
        return raw >= 0 ? Descriptor(raw: raw) : nil
    }

    /// Where they can be spread; elsewhere one place is as good as another.
    ///
    /// Nothing depends on them, so nothing of them is synced.
    func makeCradles() {
        let own = Layout.cradles.split(separator: "/").map { Array($0.utf8) }
        guard self.isLocal, own.count == 2, let above = try? self.folder.openFolder(own[0]) else { return }
        try? above.makeFolder(own[1])
        guard let folder = try? above.openFolder(own[1]) else { return }
        guard flotilla_spread_subfolders(folder.raw) == 0 else {
            try? above.removeFolder(own[1])
            return
        }
        for number in 0..<Layout.cradleCount { try? folder.makeFolder(Array("\(number)".utf8)) }
    }
}

extension Descriptor {
    /// A fresh file in this folder.
    func create(_ name: StagedName) throws(SystemFailure) -> Descriptor {
        try self.open(
            Array(name.file.utf8), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: Layout.fileMode)
    }

    /// Gives a file without a name one in this folder.
    func link(_ file: Descriptor, as name: StagedName) throws(SystemFailure) {
        let bytes = Array(name.file.utf8).terminated
        guard unsafe flotilla_link_nameless(file.raw, self.raw, bytes) == 0 else { throw .now("linkat") }
    }
}
