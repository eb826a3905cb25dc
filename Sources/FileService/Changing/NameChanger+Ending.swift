import ClusterModel
import ClusterPorts
import Logging

import struct Foundation.Date

/// What follows a decision, or the loss of its reply.
extension NameChanger {
    /// Makes a decision of this node visible and hands it to the transfer log.
    func carry(
        _ operation: Operation, _ change: NameChange, by right: NodeRight
    ) async throws(ChangeFailure) -> CarriedOut {
        let paths = RollForwardPlan.names(of: change)
        // Whoever was taken for dead renames nothing: others have rolled this forward, and more after it. Who is
        // only cut off, or without its mount, is nobody's departure: it carries this out when it serves again.
        guard self.holds(right) else {
            self.aftercare.add(.change(operation, paths, right, staged: nil))
            throw ChangeFailure(Self.error(for: .fenced, at: paths.first ?? .home), isNamed: true)
        }
        do throws(RollForward.Delay) {
            let carried = try await self.rollForward.carry(operation, change, by: right.incarnation)
            await self.log.finish(carried.finished)
            return carried
        } catch {
            self.logger.warning(
                "a decided change could not be carried out yet",
                metadata: ["operation": "\(operation.id)", "reason": "\(error.reason)"])
            self.aftercare.add(.change(operation, paths, right, staged: nil))
            throw ChangeFailure(
                .notServing(
                    reason: "the change is decided but not yet visible: \(error.reason)", retryAfterSeconds: 1
                ),
                isNamed: true)
        }
    }

    /// After an error of a deciding statement: reads what became of it.
    func resolve(
        _ error: StoreError, _ operation: Operation, _ change: NameChange, by right: NodeRight
    ) async throws(ChangeFailure) -> CarriedOut {
        let paths = RollForwardPlan.names(of: change)
        guard case .mayHaveRun = error else {
            await self.giveUp(operation, paths, by: right)
            throw ChangeFailure(FileServiceError(error))
        }
        switch await self.outcome(of: operation, paths) {
        case .decided(let row):
            return try await self.carry(operation, row.change ?? change, by: right)
        case .ended(let record):
            var finished = RollForwardPlan.finished(
                operation, change, by: right.incarnation, failure: nil, at: record.endedAt ?? Date())
            finished.record = record
            return CarriedOut(finished: finished, failure: record.status == .completed ? nil : .lost)
        case .reserved, .nothing:
            // It may still be decided by a statement that is on its way: then nothing staged is there to be shown,
            // and whoever rolls it forward writes that it failed. Nobody was told otherwise.
            // An upload's file stays: its next taker needs it, and whoever takes it voids that statement.
            if case .publish(_, let staged, _, _) = change, !self.keepsStaged {
                do throws(VaultError) { try await self.rollForward.vault.discard(staged.name) } catch {
                    throw self.unknown(
                        FileServiceError(error, at: paths.first ?? .home), operation, change, by: right)
                }
            }
            await self.giveUp(operation, paths, by: right)
            self.lookAgain(operation, paths, by: right)
            throw ChangeFailure(FileServiceError(error))
        case nil:
            throw self.unknown(FileServiceError(error), operation, change, by: right)
        }
    }

    /// Hands over what cannot be settled now, the record of its failure included: nobody else would write one.
    private func unknown(
        _ error: FileServiceError, _ operation: Operation, _ change: NameChange, by right: NodeRight
    ) -> ChangeFailure {
        guard self.logsUndecided else {
            let names = RollForwardPlan.names(of: change)
            let staged = self.keepsStaged ? nil : RollForwardPlan.staged(by: change)
            self.aftercare.add(.change(operation, names, right, staged: staged))
            return ChangeFailure(error, isNamed: true)
        }
        var record = RollForwardPlan.finished(
            operation, change, by: right.incarnation, failure: .lost, at: Date()
        ).record
        record.reason = error.reason
        self.aftercare.add(.unknown(operation, change, right, ifUndecided: record))
        return ChangeFailure(error, isNamed: true)
    }

    /// Nil when the database does not say within the patience.
    private func outcome(of operation: Operation, _ paths: [HomePath]) async -> UnknownOutcome? {
        var patience = ConflictPatience(self.patience, from: .now)
        while true {
            do throws(StoreError) {
                var row: UnfinishedName?
                if let path = paths.first {
                    row = try await self.names.unfinished(account: operation.account, path: path)
                }
                let record = try await self.transfers.transfer(id: operation.id)
                return UnknownOutcome.judge(operation.id, row: row, record: record)
            } catch {
                guard let pause = patience.next(at: .now, chance: .random(in: 0...1)) else { return nil }
                do { try await Task.sleep(for: pause) } catch { return nil }
            }
        }
    }

    /// Gives up the names that an operation may hold; what cannot be told now is looked after later.
    func giveUp(_ operation: Operation, _ paths: [HomePath], by right: NodeRight) async {
        do throws(StoreError) {
            try await self.names.abandon(operation, of: right.incarnation)
        } catch {
            self.aftercare.add(.change(operation, paths, right, staged: nil))
        }
    }

    /// A statement whose reply was lost may still be running: whatever it leaves is found later.
    func lookAgain(_ operation: Operation, _ paths: [HomePath], by right: NodeRight) {
        self.aftercare.add(.change(operation, paths, right, staged: nil))
    }

    func checkRight(_ right: NodeRight) throws(ChangeFailure) {
        guard self.holds(right) else {
            throw ChangeFailure(.notServing(reason: "this node has lost its cluster", retryAfterSeconds: 1))
        }
    }

    /// Whether this node still lives as the one that had the right; an isolated one must not act.
    func holds(_ right: NodeRight) -> Bool {
        self.standing.standing().right?.incarnation == right.incarnation
    }
}
