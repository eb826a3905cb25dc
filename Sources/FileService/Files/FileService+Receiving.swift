import ClusterModel
import ClusterPorts
import NIOCore

/// From a body to a durable file in staging.
extension FileService {
    /// Stages a body, durable; answers whether the path was free.
    ///
    /// A small body is received first: then one call of the mount looks, stages and makes it durable. The others are
    /// written while they come, behind a look.
    func receive<Body: AsyncSequence & Sendable>(
        _ intake: inout BodyIntake<Body>, at path: HomePath, by caller: Caller, options: PutOptions,
        expectedLength: Int64?, for operation: Operation, _ right: NodeRight
    ) async throws(FileServiceError) -> (SealedFile, created: Bool) {
        var gathered = GatheredBytes(budget: self.gathering)
        var isWhole = false
        // With a quota the room is looked up before, so that nobody sends in vain.
        if !options.isBodyAskedFor, caller.account.quota == nil,
            expectedLength ?? 0 <= Int64(GatherBudget.roomy)
        {
            isWhole = try await self.gather(&intake, into: &gathered)
        }
        if isWhole {
            let pieces = gathered.take()
            let whole = WholeFile(
                operation: operation.id, path: path, account: operation.accountName, pieces: pieces)
            if let staged = try await self.stage(whole, options: options, right) { return staged }
            // The folder above is still to be made; the bytes are there.
            gathered.add(pieces)
        }
        let (staged, created) = try await self.begin(
            &intake, at: path, by: caller, options: options, expectedLength: expectedLength, for: operation,
            right)
        do throws(FileServiceError) {
            while !isWhole {
                isWhole = try await self.gather(&intake, into: &gathered, for: staged)
                if !isWhole { try await self.write(&gathered, to: staged, at: path) }
            }
            let rest = gathered.take()
            let sealed = try await onMount(path) { () async throws(VaultError) in try await staged.seal(rest)
            }
            try Self.check(sealed, options)
            return (sealed, created)
        } catch {
            // In the shelter: a cancelled task could not remove it.
            do throws(FileServiceError) {
                try await self.shelter.perform { await self.discard(staged) }
            } catch {
                await self.discard(staged)
            }
            throw error
        }
    }

    /// A staged file at a path to which nobody objects; answers whether that is free.
    private func begin<Body: AsyncSequence & Sendable>(
        _ intake: inout BodyIntake<Body>, at path: HomePath, by caller: Caller, options: PutOptions,
        expectedLength: Int64?, for operation: Operation, _ right: NodeRight
    ) async throws(FileServiceError) -> (any StagedFile, created: Bool) {
        if caller.account.quota == nil {
            let begun = try await onMount(path) { () async throws(VaultError) in
                try await self.vault.begin(
                    operation.id, for: right.incarnation, at: path, in: operation.accountName
                ) { look in Self.objection(to: look, at: path, options) != nil }
            }
            if let file = begun.file { return (file, begun.look.found == nil) }
            // What is said below; or a folder is to be made there.
        }
        let found = try await self.place(path, in: operation.accountName, options: options)
        intake.room = await self.room(for: found, by: caller)
        if let objection = await intake.room?.objection(total: expectedLength ?? 0) { throw objection }
        let staged = try await onMount(path) { () async throws(VaultError) in
            try await self.vault.stage(operation.id, for: right.incarnation)
        }
        return (staged, found == nil)
    }

    /// Whether the body has ended; otherwise there is enough for a call of the mount.
    private func gather<Body: AsyncSequence & Sendable>(
        _ intake: inout BodyIntake<Body>, into gathered: inout GatheredBytes,
        for staged: (any StagedFile)? = nil
    ) async throws(FileServiceError) -> Bool {
        while !gathered.isEnough(while: staged?.isWriting ?? false) {
            guard let piece = try await intake.next() else { return true }
            gathered.add(piece)
        }
        return false
    }

    /// Returns when what was written before is written: then the next bytes can be gathered.
    private func write(
        _ gathered: inout GatheredBytes, to staged: any StagedFile, at path: HomePath
    ) async throws(FileServiceError) {
        let pieces = gathered.take()
        _ = try await onMount(path) { () async throws(VaultError) in try await staged.append(pieces) }
        gathered.accepted()
    }

    /// Nil when it needs a folder that is to be made.
    private func stage(
        _ whole: WholeFile, options: PutOptions, _ right: NodeRight
    ) async throws(FileServiceError) -> (SealedFile, created: Bool)? {
        let staging = try await onMount(whole.path) { () async throws(VaultError) in
            try await self.vault.stageWhole(whole, for: right.incarnation) { look in
                Self.objection(to: look, at: whole.path, options) != nil
            }
        }
        guard let sealed = staging.sealed else {
            guard let objection = Self.objection(to: staging.look, at: whole.path, options) else {
                throw .failed("the mount left a file out that nobody objected to")
            }
            if options.makesParents, staging.look.isWithoutParent { return nil }
            throw objection
        }
        do throws(FileServiceError) { try Self.check(sealed, options) } catch {
            await self.discard(sealed.staged.name)
            throw error
        }
        return (sealed, staging.look.found == nil)
    }

    private static func objection(
        to look: PathLook, at path: HomePath, _ options: PutOptions
    ) -> FileServiceError? {
        if let objection = PreconditionRules.objection(to: path, found: look.found, options: options) {
            return objection
        }
        guard look.found == nil, let parent = path.parent else { return nil }
        return PreconditionRules.objection(toParent: parent, found: look.parent)
    }

    private static func check(_ sealed: SealedFile, _ options: PutOptions) throws(FileServiceError) {
        if let objection = BodyRules.objection(digest: sealed.digest, expected: options.expectedDigest) {
            throw objection
        }
    }
}

extension PathLook {
    fileprivate var isWithoutParent: Bool { self.found == nil && self.parent == nil }
}
