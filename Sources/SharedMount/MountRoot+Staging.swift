import CLinux
import ClusterModel
import ClusterPorts
import Glibc

import struct Foundation.UUID

extension MountRoot {
    /// A name in staging that nobody else ever uses.
    func freshName(
        _ operation: UUID, _ incarnation: Incarnation, isSegment: Bool = false
    ) -> StagedName {
        StagedName(
            incarnation: incarnation,
            file: (isSegment ? "." : "") + "\(operation.uuidString.lowercased())-\(Layout.randomDigits())")
    }

    /// A segment's file and its folder.
    func makeSegment(
        _ upload: UploadID, for incarnation: Incarnation
    ) throws(VaultError) -> (name: StagedName, folder: Descriptor, file: Descriptor) {
        let name = self.freshName(upload.rawValue, incarnation, isSegment: true)
        return try naming("staging \(name)") { () throws(SystemFailure) in
            let folder = try self.folder.openFolder(Layout.folder(of: name))
            return (name, folder, try folder.create(name))
        }
    }

    func stageFolder(_ operation: UUID, for incarnation: Incarnation) throws(VaultError) -> StagedIdentity {
        let name = self.freshName(operation, incarnation)
        return try naming("staging \(name)") { () throws(SystemFailure) in
            let folder = try self.folder.openFolder(Layout.staging(of: incarnation))
            let made = try folder.ensureFolder(Array(name.file.utf8), syncing: true)
            return StagedIdentity(name: name, identity: FileStatus(try made.status()).identity)
        }
    }

    /// Nil when the incarnation's folder is gone.
    func stagedEntry(_ name: StagedName) throws(VaultError) -> Entry? {
        let bytes = Array(name.file.utf8)
        let plain = bytes.dropFirst(name.isSegment ? 1 : 0)
        guard !plain.isEmpty, !plain.contains(UInt8(ascii: "/")), !plain.contains(0),
            !plain.starts(with: ".".utf8)
        else { throw .forbidden("the staged name “\(name.file)”") }
        do {
            return Entry(folder: try self.folder.openFolder(Layout.folder(of: name)), name: bytes)
        } catch {
            if error.code == ENOENT { return nil }
            throw error.about("staging \(name)")
        }
    }

    func discard(_ name: StagedName) throws(VaultError) {
        guard let entry = try self.stagedEntry(name) else { return }
        do {
            try entry.folder.unlink(entry.name)
        } catch {
            if error.code == ENOENT { return }
            guard error.code == EISDIR || error.code == EPERM else { throw error.about("staging \(name)") }
            do {
                try entry.folder.removeFolder(entry.name)
            } catch {
                if error.code == ENOENT { return }
                guard error.code == ENOTEMPTY || error.code == EEXIST else {
                    throw error.about("staging \(name)")
                }
                try self.throwAway(entry, name)
            }
        }
    }

    /// Puts a staged folder with something in it where the trash is emptied: deleting it here could take long.
    private func throwAway(_ entry: Entry, _ name: StagedName) throws(VaultError) {
        let trash = try self.openOwn(Layout.trash)
        let batchName = [TrashName.batchMark] + Array(Layout.randomDigits().utf8)
        try naming("staging \(name)") { () throws(SystemFailure) in
            let batch = try self.makeBatch(batchName, in: trash)
            let debris = Entry(
                folder: batch, name: TreeRemoval.debrisMark + Array(Layout.randomDigits().utf8))
            do throws(SystemFailure) {
                try entry.renameReplacing(debris)
            } catch {
                try? trash.removeFolder(batchName)
                guard error.code == ENOENT else { throw error }
            }
        }
    }

    /// An empty folder for a tree, among the segments: programs from before that know no folders with something in them
    /// leave it alone there.
    func stageTree(
        _ operation: UUID, for incarnation: Incarnation
    ) throws(VaultError) -> (name: StagedName, folder: Descriptor) {
        let name = self.freshName(operation, incarnation, isSegment: true)
        return try naming("staging \(name)") { () throws(SystemFailure) in
            let parent = try self.folder.openFolder(Layout.folder(of: name))
            let bytes = Array(name.file.utf8)
            try parent.makeFolder(bytes)
            let made = try parent.openFolder(bytes)
            try made.setMode(Layout.folderMode)  // mkdir's is cut by the umask.
            return (name, made)
        }
    }

    /// A file that goes with its last descriptor.
    func scratch(of incarnation: Incarnation) throws(VaultError) -> Descriptor {
        try naming("staging") { () throws(SystemFailure) in
            let folder = try self.folder.openFolder(Layout.staging(of: incarnation))
            let raw = retried { flotilla_open_nameless(folder.raw, Layout.fileMode) }
            if raw >= 0 { return Descriptor(raw: raw) }
            let failure = SystemFailure.now("open")
            guard [EOPNOTSUPP, EISDIR, EINVAL, ENOENT].contains(failure.code) else { throw failure }
            let name = Array("scratch-\(Layout.randomDigits())".utf8)
            let file = try folder.open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: Layout.fileMode)
            try folder.unlink(name)
            return file
        }
    }

    func stagingIncarnations() throws(VaultError) -> [Incarnation] {
        let folder = try self.openOwn(Layout.staging)
        let names = try naming(Layout.staging) { () throws(SystemFailure) in
            try folder.anyNames(limit: Layout.longestList)
        }
        let found = names.compactMap { name -> Incarnation? in
            let isOurs = Layout.stagingPrefixes.contains { name.starts(with: $0.utf8) }
            return isOurs ? Incarnation(name: name.dropFirst()) : nil
        }
        return Set(found).sorted()
    }

    /// In the order of their names; segments last.
    ///
    /// Names that are not UTF-8 are not ours and left out.
    func staged(of incarnation: Incarnation) throws(VaultError) -> [StagedName] {
        var staged: [StagedName] = []
        for path in [Layout.staging(of: incarnation), Layout.segments(of: incarnation)] {
            let folder: Descriptor
            do {
                folder = try self.folder.openFolder(path)
            } catch {
                if error.code == ENOENT { continue }
                throw error.about(path)
            }
            let names = try naming(path) { () throws(SystemFailure) in
                try folder.anyNames(limit: Layout.longestList)
            }
            staged += names.compactMap { String(validating: $0, as: UTF8.self) }.sorted()
                .map { StagedName(incarnation: incarnation, file: $0) }
                // What lies in the other one's folder is nobody's doing but people's.
                .filter { Layout.folder(of: $0) == path }
        }
        return staged
    }

    /// False: one of the two folders is not empty.
    func removeStaging(of incarnation: Incarnation) throws(VaultError) -> Bool {
        let folder = try self.openOwn(Layout.staging)
        for prefix in Layout.stagingPrefixes {
            do {
                try folder.removeFolder(Array("\(prefix)\(incarnation)".utf8))
            } catch {
                switch error.code {
                case ENOENT: continue
                case ENOTEMPTY, EEXIST: return false
                default: throw error.about("\(Layout.staging)/\(prefix)\(incarnation)")
                }
            }
        }
        return true
    }
}
