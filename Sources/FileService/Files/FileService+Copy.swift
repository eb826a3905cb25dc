package import ClusterModel
package import ClusterPorts

package import struct Foundation.UUID

/// What a client asks of a copy.
package struct CopyOptions: Sendable, Equatable {
    /// A file that stands at the target is replaced by the copy of a file; nothing else ever is.
    package var replaces = false
    /// The value of `If-Match`, of what is copied.
    package var ifMatch: String?
    /// Fails with `notAFolder` where a file stands.
    package var mustBeFolder = false

    package init() {}
}

/// A copy that is visible and durable.
package struct CopyReceipt: Sendable, Hashable {
    package var transfer: UUID
    package var path: HomePath
    /// False: a file stood there, and was replaced.
    package var created: Bool
    package var count: FolderCopyCount
    /// Of a file.
    package var digest: Digest?
    /// Of a file.
    package var entityTag: String?

    package init(
        transfer: UUID, path: HomePath, created: Bool, count: FolderCopyCount, digest: Digest? = nil,
        entityTag: String? = nil
    ) {
        self.transfer = transfer
        self.path = path
        self.created = created
        self.count = count
        self.digest = digest
        self.entityTag = entityTag
    }
}

extension FileService {
    /// Copies a file or a folder within a home; when this returns the copy is durable and visible, as a whole, at every node.
    ///
    /// A folder is copied into staging and gets its name by one rename. It is not held still meanwhile: each file is in the copy
    /// as it was at one moment, and what comes or goes may be in it or not.
    package func copy(
        _ from: HomePath, to target: HomePath, by caller: Caller, options: CopyOptions
    ) async throws -> CopyReceipt {
        _ = try self.rightToChange()
        guard !from.isHome, !target.isHome else { throw FileServiceError.isHome }
        guard from != target else { throw FileServiceError.exists(target) }
        guard !target.isWithin(from) else { throw FileServiceError.intoItself(from) }
        let found = try await self.taken(from, in: caller.account.name, ifMatch: options.ifMatch)
        guard found.kind == .folder || !options.mustBeFolder else { throw FileServiceError.notAFolder(from) }
        do {
            return found.kind == .folder
                ? try await self.copyFolder(from, to: target, by: caller)
                : try await self.copyFile(from, to: target, by: caller, options: options)
        } catch FileServiceError.changed where !options.replaces {
            // There is no precondition about the target but that nothing stands there.
            throw FileServiceError.exists(target)
        }
    }

    /// An upload whose bytes come from the mount.
    private func copyFile(
        _ from: HomePath, to target: HomePath, by caller: Caller, options: CopyOptions
    ) async throws -> CopyReceipt {
        let file = try await onMount(from) { () async throws(VaultError) in
            try await self.vault.open(from, in: caller.account.name)
        }
        if let ifMatch = options.ifMatch, !PreconditionRules.matches(ifMatch, file.status.entityTag) {
            await file.close()
            throw FileServiceError.busy(from, retryAfterSeconds: 1)
        }
        var put = PutOptions()
        put.replaces = options.replaces
        let (vault, account) = (self.vault, caller.account.name)
        let body = CopiedBody(
            file: file, path: from, piece: self.limits.readBytes,
            now: { () async throws(VaultError) in try await vault.status(of: from, in: account) })
        do {
            let receipt = try await self.put(
                target, by: caller, options: put, expectedLength: file.status.size, body: body)
            await file.close()
            var count = FolderCopyCount()
            count.files = 1
            count.bytes = receipt.size
            return CopyReceipt(
                transfer: receipt.transfer, path: target, created: receipt.created, count: count,
                digest: receipt.digest, entityTag: receipt.entityTag)
        } catch {
            await file.close()
            throw error
        }
    }

    private func copyFolder(
        _ from: HomePath, to target: HomePath, by caller: Caller
    ) async throws -> CopyReceipt {
        let right = try self.rightToChange()
        try self.copies.enter()
        defer { self.copies.leave() }
        let operation = self.operation(by: caller, right)
        let account = operation.accountName
        try await self.checkAbsent(target, in: account)
        try await self.checkParent(of: target, in: account, making: false)
        let transfer = self.log.begin(
            TransferRecord(
                id: operation.id, kind: .folder, status: .running, account: account, path: target, size: 0,
                digest: nil, origin: operation.origin, incarnation: right.incarnation, endedAt: nil))
        do {
            let (staged, count) = try await self.stageCopy(
                of: from, operation, right, telling: transfer)
            let answer: Result<Void, FileServiceError>
            do {
                answer = try await self.shelter.perform {
                    await self.commit(staged, count, at: target, operation, right, transfer)
                }
            } catch {
                await self.discard(staged.name)
                throw error
            }
            try answer.get()
            return CopyReceipt(transfer: operation.id, path: target, created: true, count: count)
        } catch {
            let said = error as? FileServiceError ?? .failed("\(error)")
            await transfer.ended(failure: said.reason)
            throw said
        }
    }

    /// Fills a folder in staging, in steps between which it looks whether this node may still go on.
    private func stageCopy(
        of from: HomePath, _ operation: Operation, _ right: NodeRight, telling transfer: OpenTransfer
    ) async throws -> (StagedIdentity, FolderCopyCount) {
        let copy = try await onMount(from) { () async throws(VaultError) in
            try await self.vault.copyFolder(
                from, in: operation.accountName, for: operation.id, of: right.incarnation,
                bounds: TreeBounds(depth: self.limits.copiedDepth, entries: self.limits.copiedEntries))
        }
        do {
            let done = try await self.fill(copy, from, right, telling: transfer)
            await copy.close()
            return done
        } catch {
            await copy.close()
            // In the shelter: a cancelled task could not remove it.
            do {
                try await self.shelter.perform { await self.discard(copy.name) }
            } catch {
                await self.discard(copy.name)
            }
            throw error
        }
    }

    private func fill(
        _ copy: any FolderCopy, _ from: HomePath, _ right: NodeRight, telling transfer: OpenTransfer
    ) async throws -> (StagedIdentity, FolderCopyCount) {
        var patience = StreamPatience(
            incarnation: right.incarnation, longest: self.limits.isolationPatience)
        var told: Int64 = 0
        func tell(_ count: FolderCopyCount) {
            // A file that is begun again counts once.
            transfer.add(count.bytes - told)
            told = count.bytes
        }
        while true {
            if let objection = patience.objection(self.standing.standing(), at: .now) { throw objection }
            if Task.isCancelled { throw FileServiceError.clientGone("the request was given up") }
            let step = try await onMount(from) { () async throws(VaultError) in try await copy.step() }
            switch step {
            case .more(let count): tell(count)
            case .done(let staged, let count):
                tell(count)
                return (staged, count)
            case .tooLarge(let why): throw FileServiceError.tooLarge(from, why)
            case .changing(let path):
                let whole = try? HomePath(bytes: from.bytes + [UInt8(ascii: "/")] + path)
                throw FileServiceError.busy(whole ?? from, retryAfterSeconds: 5)
            }
        }
    }

    private func commit(
        _ staged: StagedIdentity, _ count: FolderCopyCount, at target: HomePath, _ operation: Operation,
        _ right: NodeRight, _ transfer: OpenTransfer
    ) async -> Result<Void, FileServiceError> {
        do throws(ChangeFailure) {
            let held = HomeUse(bytes: count.bytes, files: Int64(count.files))
            let carried = try await self.changer.change([target], for: operation, by: right, holding: held) {
                () async throws(FileServiceError) in
                try await self.checkAbsent(target, in: operation.accountName)
                try await self.checkParent(of: target, in: operation.accountName, making: false)
                return .publish(path: target, staged: staged, digest: nil, replaces: false)
            }
            transfer.left()
            guard let failure = carried.failure else { return .success(()) }
            return .failure(Self.error(for: failure, at: target, PutOptions()))
        } catch {
            if error.isNamed {
                // Whoever settles the name's row writes the log.
                transfer.left()
            } else {
                await self.discard(staged.name)
            }
            return .failure(error.error)
        }
    }
}
