import ClusterModel
import ClusterPorts
import Crypto
import NIOCore

import struct Foundation.UUID

/// Reads the source, in pieces, each written before the next one is read.
extension Carrying {
    struct Copy {
        var sealed: SealedFile
        /// Which file was read; nobody changed it meanwhile.
        var source: FileIdentity
    }

    private static var noteEvery: Duration { .seconds(2) }

    /// Copies the source into a staged file of this node's incarnation.
    ///
    /// Stopped in the middle it is discarded: a staged file belongs to one incarnation, so the next node begins anew.
    func stage(
        _ found: FileStatus, _ operation: UUID, by right: NodeRight
    ) async throws(CarryBreak) -> Copy {
        let file = try await self.open(found)
        do throws(CarryBreak) {
            let staged = try await onVault { () async throws(VaultError) in
                try await self.work.vault.stage(operation, for: right.incarnation)
            }
            do throws(CarryBreak) {
                try await self.read(file) { bytes throws(VaultError) in _ = try await staged.append(bytes) }
                let sealed = try await onVault { () async throws(VaultError) in try await staged.seal() }
                await file.close()
                return Copy(sealed: sealed, source: file.status.identity)
            } catch {
                await staged.discard()
                await self.discard(staged.name)
                throw error
            }
        } catch {
            await file.close()
            throw error
        }
    }

    /// Only reads it.
    func digest(of found: FileStatus) async throws(CarryBreak) -> ClusterModel.Digest {
        let file = try await self.open(found)
        var hash = SHA256()
        do throws(CarryBreak) {
            try await self.read(file) { bytes throws(VaultError) in
                bytes.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
            }
        } catch {
            await file.close()
            throw error
        }
        await file.close()
        guard let digest = ClusterModel.Digest(Array(hash.finalize())) else { throw self.changed }
        return digest
    }

    /// Opens what was looked at.
    ///
    /// Another file may have come to the path since: it is asked everything again, before anybody reads it.
    private func open(_ found: FileStatus) async throws(CarryBreak) -> any OpenedFile {
        let file = try await onVault { () async throws(VaultError) in
            try await self.work.vault.open(self.from.path, in: self.from.account.name)
        }
        if let objection = CarryRules.objection(to: file.status, of: self.order) {
            await file.close()
            throw .failed(objection)
        }
        guard file.status.identity == found.identity else {
            await file.close()
            throw self.changed
        }
        return file
    }

    private func read(
        _ file: any OpenedFile, _ take: (ByteBuffer) async throws(VaultError) -> Void
    ) async throws(CarryBreak) {
        let size = file.status.size
        var offset: Int64 = 0
        var noted = ContinuousClock.now
        while true {
            try self.goOn()
            let from = offset
            let bytes = try await onVault { () async throws(VaultError) in
                try await file.read(from: from, count: self.work.piece)
            }
            guard bytes.readableBytes > 0 else { break }
            offset += Int64(bytes.readableBytes)
            guard offset <= size else { throw self.changed }
            try await onVault { () async throws(VaultError) in try await take(bytes) }
            guard noted.duration(to: .now) >= Self.noteEvery else { continue }
            noted = .now
            let progress = JobProgress(
                fraction: Double(offset) / Double(size), note: "\(offset) of \(size) bytes")
            _ = await self.desk.note(progress, of: self.job.title)
        }
        guard offset == size, try await self.status(of: self.from)?.identity == file.status.identity else {
            throw self.changed
        }
    }

    private func goOn() throws(CarryBreak) {
        guard self.desk.isHeld(self.job.title), !Task.isCancelled else {
            throw .stopped("the claim was lost")
        }
        guard !self.desk.isDraining else { throw .stopped("the node drains") }
    }

    private var changed: CarryBreak { .later("\(self.from) changed while it was read") }

    /// What cannot be removed now goes when this node has departed.
    func discard(_ staged: StagedName) async {
        do throws(VaultError) { try await self.work.vault.discard(staged) } catch {}
    }
}

/// Runs a call of the mount and says its failure in the words of a run.
private func onVault<Value>(
    _ call: () async throws(VaultError) -> Value
) async throws(CarryBreak) -> Value {
    do { return try await call() } catch { throw CarryBreak(error) }
}
