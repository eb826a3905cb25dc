import ClusterModel
import ClusterPorts
import Logging

import struct Foundation.UUID

/// Why a change of names did not happen, and what that means for what was staged.
struct ChangeFailure: Error {
    var error: FileServiceError
    /// True: a row names it or may come to name it; whoever reads that row deals with it.
    var isNamed = false

    init(_ error: FileServiceError, isNamed: Bool = false) {
        self.error = error
        self.isNamed = isNamed
    }
}

/// Takes one change of names from its wish to its end: take the name, decide, roll forward, hand over to the log.
///
/// Called from tasks that are not cancelled (``Shelter``). A lost reply is never answered by trying again, but by
/// reading the row (R2); what cannot be settled now goes to ``Aftercare``.
struct NameChanger: Sendable {
    let names: any NameStore
    let transfers: any TransferStore
    let standing: any NodeStanding
    let decider: Decider
    let rollForward: RollForward
    let aftercare: Aftercare
    let log: TransferLog
    let patience: Duration
    let logger: Logger
    let metered: MeteredAccounts
    /// Entries of a folder that are counted before it is removed.
    let countedEntries: Int
    /// Whether a change of which nobody can tell whether it was decided is logged as failed when it was not.
    var logsUndecided = true
    /// Whether a staged file stays when nothing says that it was decided: rows of its own name it.
    var keepsStaged = false

    /// The same for a job, which uses the id of a change again in its next run: a record of this run's failure would
    /// stand in for what that one decides.
    ///
    /// - Parameter names: that prove the job's claim.
    func forJob(_ names: any NameStore) -> NameChanger {
        var changer = NameChanger(
            names: names, transfers: self.transfers, standing: self.standing,
            decider: Decider(names: names, batch: 1, queue: 1), rollForward: self.rollForward,
            aftercare: self.aftercare, log: self.log, patience: self.patience, logger: self.logger,
            metered: self.metered, countedEntries: self.countedEntries)
        changer.logsUndecided = false
        return changer
    }

    /// The same for an upload that is whole: its segments' rows name the file until it is decided, and its id is used again
    /// when it is finished once more.
    ///
    /// - Parameter names: that prove who may write it.
    func forUpload(_ names: any NameStore) -> NameChanger {
        var changer = self.forJob(names)
        changer.keepsStaged = true
        return changer
    }

    /// Publishes without a look at the disk: one decision, made together with others of this node.
    ///
    /// For an account with a quota the name is reserved and looked at first.
    ///
    /// - Parameter lookAgain: asked when a folder above was moved or removed meanwhile.
    func publish(
        _ publication: Publication, by right: NodeRight, lookAgain: () async throws(FileServiceError) -> Void
    ) async throws(ChangeFailure) -> CarriedOut {
        let operation = publication.operation
        let change = NameChange.publish(
            path: publication.path, staged: publication.staged, digest: publication.digest,
            replaces: publication.replaces)
        if self.metered.has(operation.account) {
            return try await self.publishCounted(publication, by: right, lookAgain: lookAgain)
        }
        var patience = ConflictPatience(self.patience, from: .now)
        while true {
            try self.checkRight(right)
            let answer: DecisionAnswer
            do {
                guard let decided = try await self.decider.decide(publication, by: right) else {
                    throw ChangeFailure(.tooBusy(retryAfterSeconds: 1))
                }
                answer = decided
            } catch let error as StoreError {
                return try await self.resolve(error, operation, change, by: right)
            } catch let failure as ChangeFailure {
                throw failure
            } catch {
                throw ChangeFailure(.failed("\(error)"))
            }
            if answer == .decided { return try await self.carry(operation, change, by: right) }
            if answer == .metered {
                self.metered.learn(operation.account)
                return try await self.publishCounted(publication, by: right, lookAgain: lookAgain)
            }
            do {
                try await self.clearTheWay(answer, [publication.path], of: operation.account, &patience)
                if answer == .busyFolder { try await lookAgain() }
            } catch {
                throw ChangeFailure(error)
            }
        }
    }

    /// Takes the names, looks, then decides what the look answered; a look that throws gives the names up.
    ///
    /// Where a folder above is moved or removed, it waits for that without holding the names, and looks again.
    func change(
        _ paths: [HomePath], for operation: Operation, by right: NodeRight, holding held: HomeUse = .none,
        look: () async throws(FileServiceError) -> NameChange
    ) async throws(ChangeFailure) -> CarriedOut {
        var patience = ConflictPatience(self.patience, from: .now)
        while true {
            try await self.reserve(paths, for: operation, by: right, &patience)
            let change: NameChange
            do { change = try await look() } catch {
                await self.giveUp(operation, paths, by: right)
                throw ChangeFailure(error)
            }
            let answer: DecisionAnswer
            do {
                try self.checkRight(right)
                answer = try await self.decide(change, of: operation, holding: held, by: right)
            } catch let error as StoreError {
                return try await self.resolve(error, operation, change, by: right)
            } catch {
                await self.giveUp(operation, paths, by: right)
                throw Self.failure(error)
            }
            if answer == .decided { return try await self.carry(operation, change, by: right) }
            await self.giveUp(operation, paths, by: right)
            guard answer == .busyFolder else {
                throw ChangeFailure(Self.error(for: answer, at: paths.first ?? .home))
            }
            do {
                try await self.clearTheWay(answer, paths, of: operation.account, &patience)
            } catch {
                throw ChangeFailure(error)
            }
        }
    }

    private static func failure(_ error: any Error) -> ChangeFailure {
        switch error {
        case let failure as ChangeFailure: failure
        case let error as FileServiceError: ChangeFailure(error)
        default: ChangeFailure(.failed("\(error)"))
        }
    }

    private func reserve(
        _ paths: [HomePath], for operation: Operation, by right: NodeRight,
        _ patience: inout ConflictPatience
    ) async throws(ChangeFailure) {
        while true {
            try self.checkRight(right)
            let answer: DecisionAnswer
            do {
                answer = try await self.names.reserve(paths, for: operation, by: right)
            } catch {
                await self.giveUp(operation, paths, by: right)
                if case .mayHaveRun = error { self.lookAgain(operation, paths, by: right) }
                throw ChangeFailure(FileServiceError(error))
            }
            if answer == .decided { return }
            do {
                try await self.clearTheWay(answer, paths, of: operation.account, &patience)
            } catch {
                throw ChangeFailure(error)
            }
        }
    }

    /// Waits until a refused change may be tried again, and carries out the decisions that stand in its way.
    func clearTheWay(
        _ answer: DecisionAnswer, _ paths: [HomePath], of account: AccountID,
        _ patience: inout ConflictPatience
    ) async throws(FileServiceError) {
        guard answer == .busyName || answer == .busyFolder else {
            throw Self.error(for: answer, at: paths.first ?? .home)
        }
        var waits = true
        if answer == .busyName {
            for path in paths {
                let row = try await onStore { () async throws(StoreError) in
                    try await self.names.unfinished(account: account, path: path)
                }
                guard case .rollForward(let row) = NameConflict.step(row) else { continue }
                // It is carried out, and this node is about to say so: once it is asked to make haste.
                if patience.isNew, self.log.hurry(row.operation.id) { continue }
                try await self.help(row)
                waits = false
            }
        }
        guard let pause = patience.next(at: .now, chance: .random(in: 0...1)) else {
            throw .busy(paths.first ?? .home, retryAfterSeconds: 1)
        }
        guard waits else { return }
        do { try await Task.sleep(for: pause) } catch {
            throw .notServing(reason: "this node is stopping", retryAfterSeconds: 1)
        }
    }

    /// Carries out and finishes somebody else's decision, so that its name is free.
    func help(_ row: UnfinishedName) async throws(FileServiceError) {
        guard let change = row.change, self.standing.standing().right != nil else { return }
        let carried: CarriedOut
        do throws(RollForward.Delay) {
            carried = try await self.rollForward.carry(row.operation, change, by: row.incarnation)
        } catch {
            switch error {
            case .mount(let error): throw FileServiceError(error, at: row.path)
            case .database(let error): throw FileServiceError(error)
            }
        }
        _ = try await onStore { () async throws(StoreError) in try await self.names.finish([carried.finished])
        }
    }

    static func error(for answer: DecisionAnswer, at path: HomePath) -> FileServiceError {
        switch answer {
        case .fenced: .notServing(reason: "this node was taken for dead", retryAfterSeconds: 1)
        case .busyName, .busyFolder: .busy(path, retryAfterSeconds: 1)
        case .gone: .failed("the account, or the hold on the name, is gone")
        case .overQuota(let refusal): .overQuota(refusal)
        case .metered: .busy(path, retryAfterSeconds: 1)
        case .decided: .failed("a decision was taken for a refusal")
        }
    }
}
