package import ClusterModel
import ClusterPorts
import Logging
package import NIOCore

extension FileService {
    /// Receives a file; when this returns it is durable and visible at every node.
    ///
    /// Memory is bounded: while one piece of the body is written the next one is gathered (``GatherBudget``), and no
    /// more. Nothing is visible, and what stood at the path stays, when this throws before the decision; an error that says
    /// ``FileServiceError/notServing(reason:retryAfterSeconds:)`` may mean that the file becomes visible a little later.
    ///
    /// - Parameter expectedLength: the length that the client announced, in bytes; the body must have it.
    package func put<Body: AsyncSequence & Sendable>(
        _ path: HomePath, by caller: Caller, options: PutOptions, expectedLength: Int64?, body: Body
    ) async throws -> PutReceipt where Body.Element == ByteBuffer {
        let right = try self.rightToChange()
        guard !path.isHome else { throw FileServiceError.isHome }
        try self.uploads.enter()
        defer { self.uploads.leave() }
        let operation = self.operation(by: caller, right)
        let transfer = self.log.begin(
            TransferRecord(
                id: operation.id, kind: .upload, status: .running, account: caller.account.name, path: path,
                size: 0,
                digest: nil, origin: operation.origin, incarnation: right.incarnation, endedAt: nil))
        do {
            var intake = BodyIntake(
                body, expected: expectedLength,
                patience: StreamPatience(
                    incarnation: right.incarnation, longest: self.limits.isolationPatience),
                standing: self.standing, telling: transfer)
            let (sealed, created) = try await self.receive(
                &intake, at: path, by: caller, options: options, expectedLength: expectedLength,
                for: operation, right)
            let answer: Result<PutReceipt, FileServiceError>
            do {
                answer = try await self.shelter.perform {
                    await self.commit(
                        sealed, path, operation, options: options, created: created, right, transfer)
                }
            } catch {
                await self.discard(sealed.staged.name)
                throw error
            }
            return try answer.get()
        } catch {
            let said = error as? FileServiceError ?? .failed("\(error)")
            await transfer.ended(failure: said.reason)
            throw said
        }
    }

    /// Looks whether the upload can end well, before its bytes are received.
    func place(
        _ path: HomePath, in account: AccountName, options: PutOptions
    ) async throws(FileServiceError) -> FileStatus? {
        let found = try await onMount(path) { () async throws(VaultError) in
            try await self.vault.status(of: path, in: account)
        }
        if let objection = PreconditionRules.objection(to: path, found: found, options: options) {
            throw objection
        }
        if found == nil { try await self.checkParent(of: path, in: account, making: options.makesParents) }
        return found
    }

    /// Makes sure that the folder above the path is there.
    func checkParent(
        of path: HomePath, in account: AccountName, making: Bool
    ) async throws(FileServiceError) {
        guard let parent = path.parent else { throw .isHome }
        if making && !parent.isHome {
            return try await onMount(parent) { () async throws(VaultError) in
                try await self.vault.makeFolders(parent, in: account)
            }
        }
        let found = try await onMount(parent) { () async throws(VaultError) in
            try await self.vault.status(of: parent, in: account)
        }
        if let objection = PreconditionRules.objection(toParent: parent, found: found) { throw objection }
    }

    private func commit(
        _ sealed: SealedFile, _ path: HomePath, _ operation: Operation, options: PutOptions, created: Bool,
        _ right: NodeRight, _ transfer: OpenTransfer
    ) async -> Result<PutReceipt, FileServiceError> {
        do throws(ChangeFailure) {
            let carried = try await self.decide(
                sealed, path, operation, options: options, right, by: self.changer)
            transfer.left()
            if let failure = carried.failure { return .failure(Self.error(for: failure, at: path, options)) }
            let tag = await self.entityTag(
                of: sealed.staged.identity, as: carried.shown, at: path, in: operation.accountName)
            return .success(
                PutReceipt(
                    transfer: operation.id, path: path, size: sealed.size, digest: sealed.digest,
                    entityTag: tag,
                    created: created))
        } catch {
            if error.isNamed {
                // Whoever settles the name's row writes the log.
                transfer.left()
            } else {
                await self.discard(sealed.staged.name)
            }
            return .failure(error.error)
        }
    }

    func decide(
        _ sealed: SealedFile, _ path: HomePath, _ operation: Operation, options: PutOptions,
        _ right: NodeRight, by changer: NameChanger
    ) async throws(ChangeFailure) -> CarriedOut {
        guard options.isConditional else {
            let publication = Publication(
                operation: operation, path: path, staged: sealed.staged, digest: sealed.digest, replaces: true
            )
            return try await changer.publish(publication, by: right) {
                () async throws(FileServiceError) in
                try await self.checkParent(of: path, in: operation.accountName, making: options.makesParents)
            }
        }
        return try await changer.change([path], for: operation, by: right) {
            () async throws(FileServiceError) in
            let found = try await onMount(path) { () async throws(VaultError) in
                try await self.vault.status(of: path, in: operation.accountName)
            }
            if let objection = PreconditionRules.objection(to: path, found: found, options: options) {
                throw objection
            }
            return .publish(
                path: path, staged: sealed.staged, digest: sealed.digest, replaces: options.replaces)
        }
    }

    static func error(
        for failure: RollForwardPlan.Failure, at path: HomePath, _ options: PutOptions
    ) -> FileServiceError {
        switch failure {
        case .blocked(by: .folder): .isFolder(path)
        case .blocked(by: .link): .forbiddenLink(path)
        case .blocked(by: .file) where !options.replaces: .changed(entityTag: nil)
        case .blocked, .targetTaken: .exists(path)
        case .gone: .notFound(path)
        case .lost: .notServing(reason: failure.reason, retryAfterSeconds: 1)
        }
    }

    /// As a download shows it from now on.
    ///
    /// Where somebody has replaced the file already, a tag that fits nothing.
    ///
    /// - Parameter shown: what was seen when it was published.
    func entityTag(
        of identity: FileIdentity, as shown: FileStatus?, at path: HomePath, in account: AccountName
    ) async -> String {
        if let shown { return shown.entityTag }
        let shown = try? await self.vault.status(of: path, in: account)
        if let shown, shown.identity == identity { return shown.entityTag }
        return FileStatus(kind: .file, identity: identity, changed: 0, modified: identity.modified).entityTag
    }

    /// Also after the seal, from when on the file itself says nothing of its name any more.
    func discard(_ staged: any StagedFile) async {
        await staged.discard()
        await self.discard(staged.name)
    }

    /// Removes what is staged and named by no row; what cannot be removed now goes when this node has departed.
    func discard(_ staged: StagedName) async {
        do throws(VaultError) { try await self.vault.discard(staged) } catch {
            self.logger.warning(
                "something staged could not be removed",
                metadata: ["staged": "\(staged)", "reason": "\(error.description)"])
        }
    }
}
