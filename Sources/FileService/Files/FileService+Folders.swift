package import ClusterModel
import ClusterPorts

import struct Foundation.Date

extension FileService {
    /// Makes a folder, durable and visible at every node.
    ///
    /// - Parameter parents: makes missing folders above it too.
    package func makeFolder(
        _ path: HomePath, by caller: Caller, parents: Bool
    ) async throws(FileServiceError) -> OperationReceipt {
        let right = try self.rightToChange()
        guard !path.isHome else { throw .exists(path) }
        let operation = self.operation(by: caller, right)
        try await self.checkAbsent(path, in: operation.accountName)
        try await self.checkParent(of: path, in: operation.accountName, making: parents)
        return try await self.logged(operation, .folder, path, right) { () async throws(ChangeFailure) in
            let staged: StagedIdentity
            do throws(VaultError) {
                staged = try await self.vault.stageFolder(operation.id, for: right.incarnation)
            } catch {
                throw ChangeFailure(FileServiceError(error, at: path))
            }
            do throws(ChangeFailure) {
                return try await self.changer.change([path], for: operation, by: right) {
                    () async throws(FileServiceError) in
                    try await self.checkAbsent(path, in: operation.accountName)
                    return .publish(path: path, staged: staged, digest: nil, replaces: false)
                }
            } catch {
                if !error.isNamed { await self.discard(staged.name) }
                throw error
            }
        }
    }

    func checkAbsent(_ path: HomePath, in account: AccountName) async throws(FileServiceError) {
        let found = try await onMount(path) { () async throws(VaultError) in
            try await self.vault.status(of: path, in: account)
        }
        if found != nil { throw .exists(path) }
    }

    /// Removes a file or a folder.
    ///
    /// - Parameters:
    ///   - recursive: removes a folder with all that is in it; otherwise it must be empty.
    ///   - ifMatch: the value of `If-Match`.
    ///   - mustBeFolder: fails with `notAFolder` where a file stands.
    package func remove(
        _ path: HomePath, by caller: Caller, recursive: Bool, ifMatch: String?, mustBeFolder: Bool = false
    ) async throws(FileServiceError) -> OperationReceipt {
        let right = try self.rightToChange()
        guard !path.isHome else { throw .isHome }
        let operation = self.operation(by: caller, right)
        let found = try await self.taken(path, in: operation.accountName, ifMatch: ifMatch)
        guard found.kind == .folder || !mustBeFolder else { throw .notAFolder(path) }
        return try await self.logged(operation, .delete, path, right) { () async throws(ChangeFailure) in
            let remove = { () async throws(ChangeFailure) in
                try await self.changer.change([path], for: operation, by: right) {
                    () async throws(FileServiceError) in
                    let now = try await self.taken(path, in: operation.accountName, ifMatch: ifMatch)
                    guard now.kind == found.kind else { throw .changed(entityTag: now.entityTag) }
                    if now.kind == .folder && !recursive {
                        try await self.checkEmpty(path, in: operation.accountName)
                    }
                    return .remove(path, now.identity)
                }
            }
            guard found.kind == .folder else { return try await remove() }
            return try await self.changer.holding([path], for: operation, by: right, remove)
        }
    }

    /// Gives a file or a folder another path in the same home; never overwrites.
    ///
    /// - Parameters:
    ///   - ifMatch: the value of `If-Match`, of what is moved.
    ///   - mustBeFolder: fails with `notAFolder` where a file stands.
    package func move(
        _ from: HomePath, to target: HomePath, by caller: Caller, ifMatch: String? = nil,
        mustBeFolder: Bool = false
    ) async throws(FileServiceError) -> OperationReceipt {
        let right = try self.rightToChange()
        guard !from.isHome, !target.isHome else { throw .isHome }
        guard from != target else { throw .exists(target) }
        guard !target.isWithin(from) else { throw .intoItself(from) }
        let operation = self.operation(by: caller, right)
        let found = try await self.taken(from, in: operation.accountName, ifMatch: ifMatch)
        guard found.kind == .folder || !mustBeFolder else { throw .notAFolder(from) }
        return try await self.logged(operation, .move, from, right, target: target) {
            () async throws(ChangeFailure) in
            let move = { () async throws(ChangeFailure) in
                try await self.changer.change([from, target], for: operation, by: right) {
                    () async throws(FileServiceError) in
                    let now = try await self.taken(from, in: operation.accountName, ifMatch: ifMatch)
                    guard now.kind == found.kind else { throw .changed(entityTag: now.entityTag) }
                    try await self.checkAbsent(target, in: operation.accountName)
                    try await self.checkParent(of: target, in: operation.accountName, making: false)
                    return .move(from: from, to: target, now.identity)
                }
            }
            guard found.kind == .folder else { return try await move() }
            return try await self.changer.holding([from, target], for: operation, by: right, move)
        }
    }

    func taken(
        _ path: HomePath, in account: AccountName, ifMatch: String?
    ) async throws(FileServiceError) -> FileStatus {
        let found = try await onMount(path) { () async throws(VaultError) in
            try await self.vault.status(of: path, in: account)
        }
        if let objection = PreconditionRules.objection(toTaking: path, found: found, ifMatch: ifMatch) {
            throw objection
        }
        guard let found else { throw .notFound(path) }
        return found
    }

    private func checkEmpty(_ path: HomePath, in account: AccountName) async throws(FileServiceError) {
        let entries = try await onMount(path) { () async throws(VaultError) in
            try await self.vault.list(path, in: account, after: nil, limit: 1)
        }
        guard entries.isEmpty else { throw .notEmpty(path) }
    }

    /// Performs a change in the shelter and logs it where no decision does.
    private func logged(
        _ operation: Operation, _ kind: TransferRecord.Kind, _ path: HomePath, _ right: NodeRight,
        target: HomePath? = nil, _ change: @escaping @Sendable () async throws(ChangeFailure) -> CarriedOut
    ) async throws(FileServiceError) -> OperationReceipt {
        let answer: Result<OperationReceipt, FileServiceError> = try await self.shelter.perform {
            do throws(ChangeFailure) {
                let failure = try await change().failure
                switch failure {
                case nil: return .success(OperationReceipt(transfer: operation.id, path: target ?? path))
                case .blocked: return .failure(.exists(path))
                case .targetTaken: return .failure(.exists(target ?? path))
                case .gone: return .failure(.notFound(path))
                case .lost: return .failure(.notServing(reason: "the change was lost", retryAfterSeconds: 1))
                }
            } catch {
                if !error.isNamed {
                    await self.log.record(
                        TransferRecord(
                            id: operation.id, kind: kind, status: .failed, account: operation.accountName,
                            path: path,
                            target: target, size: 0, digest: nil, origin: operation.origin,
                            incarnation: right.incarnation, endedAt: Date(), reason: error.error.reason))
                }
                return .failure(error.error)
            }
        }
        return try answer.get()
    }
}
