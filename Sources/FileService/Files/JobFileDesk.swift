package import ClusterModel
package import ClusterPorts

package import struct Foundation.Date
package import struct Foundation.UUID

/// Changes files for jobs, the way requests do, but with the job's claim proven by whatever decides.
///
/// Needs ``FileService/run()``: without it every call answers ``JobFileFault/later(_:)``.
package struct JobFileDesk: JobFiles {
    private let files: FileService
    private let names: any ClaimedNames
    /// As the protocol in the transfer log.
    package static let spoken = "job"
    /// Whoever finds a change decided carries it out once; a second look only says whether that is so.
    private static let looks = 3

    package init(files: FileService, names: any ClaimedNames) {
        self.files = files
        self.names = names
    }

    package func outcome(
        of operation: UUID, at place: HomePlace
    ) async throws(JobFileFault) -> JobFileOutcome {
        try await self.sheltered { () async throws(FileServiceError) in
            let changer = self.files.changer
            for _ in 0..<Self.looks {
                // The row before the log: both change in one statement.
                let row = try await onStore { () async throws(StoreError) in
                    try await changer.names.unfinished(account: place.account.id, path: place.path)
                }
                if let row, row.operation.id == operation, row.change != nil {
                    try await changer.help(row)
                    continue
                }
                let record = try await onStore { () async throws(StoreError) in
                    try await changer.transfers.transfer(id: operation)
                }
                switch record?.status {
                case nil, .running: return .nothing
                case .completed: return record.map { .completed($0) } ?? .nothing
                case .failed:
                    let reason = record?.reason ?? ""
                    return RollForwardPlan.leavesDoubt(reason)
                        ? .unknown(reason: reason) : .failed(reason: reason)
                }
            }
            throw FileServiceError.busy(place.path, retryAfterSeconds: 1)
        }
    }

    package func check(
        _ target: HomePlace, _ options: JobFileOptions
    ) async throws(JobFileFault) {
        try await self.sheltered { () async throws(FileServiceError) in
            do throws(FileServiceError) {
                _ = try await self.files.place(
                    target.path, in: target.account.name, options: PutOptions(options))
            } catch {
                throw Self.aboutTarget(error, target)
            }
        }
    }

    package func publish(
        _ sealed: SealedFile, at target: HomePlace, _ options: JobFileOptions, _ change: JobChange
    ) async throws(JobFileFault) {
        let fault: FileServiceError?
        do throws(FileServiceError) {
            fault = try await self.files.shelter.perform {
                await self.published(sealed, at: target, PutOptions(options), change)
            }
        } catch {
            // It never began.
            await self.files.discard(sealed.staged.name)
            fault = error
        }
        if let fault { throw JobFileFault(Self.aboutTarget(fault, target)) }
    }

    private func published(
        _ sealed: SealedFile, at target: HomePlace, _ options: PutOptions, _ change: JobChange
    ) async -> FileServiceError? {
        do throws(ChangeFailure) {
            let carried = try await self.files.decide(
                sealed, target.path, self.operation(change, target.account), options: options, change.right,
                by: self.changer(change))
            return carried.failure.map { FileService.error(for: $0, at: target.path, options) }
        } catch {
            if !error.isNamed { await self.files.discard(sealed.staged.name) }
            return error.error
        }
    }

    package func move(
        _ source: HomePlace, to target: HomePath, identity: FileIdentity, makesParents: Bool,
        _ change: JobChange
    ) async throws(JobFileFault) {
        try await self.sheltered { () async throws(FileServiceError) in
            let account = source.account.name
            try await self.changed([source.path, target], of: source.account, change) {
                () async throws(FileServiceError) in
                try await self.checkIdentity(of: source, identity)
                try await self.files.checkAbsent(target, in: account)
                try await self.files.checkParent(of: target, in: account, making: makesParents)
                return .move(from: source.path, to: target, identity)
            }
        }
    }

    package func remove(
        _ source: HomePlace, identity: FileIdentity, _ change: JobChange
    ) async throws(JobFileFault) -> Bool {
        try await self.sheltered { () async throws(FileServiceError) in
            do throws(FileServiceError) {
                try await self.changed([source.path], of: source.account, change) {
                    () async throws(FileServiceError) in
                    try await self.checkIdentity(of: source, identity)
                    return .remove(source.path, identity)
                }
                return true
            } catch {
                switch error {
                case .changed: return false
                default: throw error
                }
            }
        }
    }

    // MARK: - Parts

    private func changed(
        _ paths: [HomePath], of account: Account, _ change: JobChange,
        _ look: () async throws(FileServiceError) -> NameChange
    ) async throws(FileServiceError) {
        do throws(ChangeFailure) {
            let carried = try await self.changer(change).change(
                paths, for: self.operation(change, account), by: change.right, look: look)
            switch carried.failure {
            case nil: return
            case .targetTaken, .blocked: throw ChangeFailure(.exists(paths.last ?? .home))
            case .gone, .lost: throw ChangeFailure(.changed(entityTag: nil))
            }
        } catch {
            throw error.error
        }
    }

    private func checkIdentity(
        of place: HomePlace, _ identity: FileIdentity
    ) async throws(FileServiceError) {
        let found = try await onMount(place.path) { () async throws(VaultError) in
            try await self.files.vault.status(of: place.path, in: place.account.name)
        }
        guard found?.identity == identity else { throw .changed(entityTag: found?.entityTag) }
    }

    private func changer(_ change: JobChange) -> NameChanger {
        self.files.changer.forJob(self.names.names(holding: change.title, enabled: change.enabled))
    }

    private func operation(_ change: JobChange, _ account: Account) -> Operation {
        Operation(
            id: change.operation, account: account.id, accountName: account.name,
            origin: TransferOrigin(
                node: change.right.name, protocol: Self.spoken, client: "job/\(change.title.job)",
                startedAt: Date()))
    }

    /// Performed to its end, whatever becomes of the calling task.
    private func sheltered<Value: Sendable>(
        _ work: @escaping @Sendable () async throws(FileServiceError) -> Value
    ) async throws(JobFileFault) -> Value {
        let answer: Result<Value, FileServiceError>
        do throws(FileServiceError) {
            answer = try await self.files.shelter.perform {
                do throws(FileServiceError) { return .success(try await work()) } catch {
                    return .failure(error)
                }
            }
        } catch {
            throw JobFileFault(error)
        }
        switch answer {
        case .success(let value): return value
        case .failure(let error): throw JobFileFault(error)
        }
    }

    /// A target that must not be replaced is told as that, and not as a precondition.
    private static func aboutTarget(_ error: FileServiceError, _ target: HomePlace) -> FileServiceError {
        switch error {
        case .changed: .exists(target.path)
        default: error
        }
    }
}

extension PutOptions {
    init(_ options: JobFileOptions) {
        self.init()
        self.replaces = options.replaces
        self.makesParents = options.makesParents
    }
}

extension JobFileFault {
    init(_ error: FileServiceError) {
        self =
            switch error {
            case .notFound, .parentMissing, .isFolder, .notAFolder, .exists, .notEmpty, .isHome, .intoItself,
                .forbiddenLink, .nameTooLong, .bodyTooShort, .bodyTooLong, .digestMismatch, .checksumMismatch,
                .tooLarge, .denied, .overQuota:
                .refused(error.reason)
            case .changed: .later("the source changed, or was replaced, meanwhile")
            case .clientGone, .busy, .notServing, .tooBusy, .full, .readOnly, .failed: .later(error.reason)
            }
    }
}
