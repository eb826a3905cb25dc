import ClusterModel
import ClusterPorts
import Glibc

import struct Foundation.UUID

extension MountRoot {
    /// A name in staging that nobody else ever uses.
    private func freshName(_ operation: UUID, _ incarnation: Incarnation) -> StagedName {
        StagedName(
            incarnation: incarnation, file: "\(operation.uuidString.lowercased())-\(Layout.randomDigits())")
    }

    /// Its folder and the file, which the caller may remove by the folder later.
    func stage(
        _ operation: UUID, for incarnation: Incarnation
    ) throws(VaultError) -> (name: StagedName, folder: Descriptor, file: Descriptor) {
        let name = self.freshName(operation, incarnation)
        return try naming("staging \(name)") { () throws(SystemFailure) in
            let folder = try self.folder.openFolder(Layout.staging(of: incarnation))
            let file = try folder.open(
                Array(name.file.utf8), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: Layout.fileMode)
            return (name, folder, file)
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
        guard !bytes.isEmpty, !bytes.contains(UInt8(ascii: "/")), !bytes.contains(0),
            !bytes.starts(with: ".".utf8)
        else { throw .forbidden("the staged name “\(name.file)”") }
        do {
            return Entry(
                folder: try self.folder.openFolder(Layout.staging(of: name.incarnation)), name: bytes)
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
                guard error.code == ENOENT else { throw error.about("staging \(name)") }
            }
        }
    }

    func stagingIncarnations() throws(VaultError) -> [Incarnation] {
        let folder = try self.openOwn(Layout.staging)
        let names = try naming(Layout.staging) { () throws(SystemFailure) in
            try folder.anyNames(limit: Layout.longestList)
        }
        return names.compactMap { $0.first == UInt8(ascii: "i") ? Incarnation(name: $0.dropFirst()) : nil }
            .sorted()
    }

    /// In the order of their names.
    ///
    /// Names that are not UTF-8 are not ours and left out.
    func staged(of incarnation: Incarnation) throws(VaultError) -> [StagedName] {
        let folder: Descriptor
        do {
            folder = try self.folder.openFolder(Layout.staging(of: incarnation))
        } catch {
            if error.code == ENOENT { return [] }
            throw error.about(Layout.staging(of: incarnation))
        }
        let names = try naming(Layout.staging(of: incarnation)) { () throws(SystemFailure) in
            try folder.anyNames(limit: Layout.longestList)
        }
        return names.compactMap { String(validating: $0, as: UTF8.self) }.sorted()
            .map { StagedName(incarnation: incarnation, file: $0) }
    }

    func removeStaging(of incarnation: Incarnation) throws(VaultError) -> Bool {
        let folder = try self.openOwn(Layout.staging)
        do {
            try folder.removeFolder(Array("i\(incarnation)".utf8))
        } catch {
            switch error.code {
            case ENOENT: return true
            case ENOTEMPTY, EEXIST: return false
            default: throw error.about(Layout.staging(of: incarnation))
            }
        }
        return true
    }
}
