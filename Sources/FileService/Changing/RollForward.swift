import ClusterModel
import ClusterPorts

import struct Foundation.Date

/// A decided change that was carried out, or was found impossible for good.
struct CarriedOut: Sendable {
    var finished: FinishedOperation
    var failure: RollForwardPlan.Failure?
    /// A published file, as a download shows it; nil where nobody looked or somebody has replaced it already.
    var shown: FileStatus?
}

/// The one place where decided changes become visible: used by the node that decided, by whoever finds the
/// name busy, and by ``Recovery``.
///
/// Doing it twice, or by two nodes at once, changes nothing.
struct RollForward: Sendable {
    let vault: any FileVault
    let transfers: any TransferStore

    /// Why a change was not carried out this time; the decision stands, and somebody does it later.
    enum Delay: Error, Sendable {
        case mount(VaultError)
        case database(StoreError)

        var reason: String {
            switch self {
            case .mount(let error): error.description
            case .database(let error): error.description
            }
        }
    }

    func carry(
        _ operation: Operation, _ change: NameChange, by incarnation: Incarnation
    ) async throws(Delay) -> CarriedOut {
        let (answer, shown) = try await self.perform(operation, change)
        var verdict = RollForwardPlan.verdict(answer)
        if verdict == .askLog {
            let record: TransferRecord?
            do { record = try await self.transfers.transfer(id: operation.id) } catch {
                throw .database(error)
            }
            verdict = RollForwardPlan.verdict(afterLog: record)
        }
        var failure: RollForwardPlan.Failure?
        if case .failed(let why) = verdict { failure = why }
        if let useless = RollForwardPlan.discards(failure, of: change) {
            do { try await self.vault.discard(useless) } catch { throw .mount(error) }
        }
        let finished = RollForwardPlan.finished(
            operation, change, by: incarnation, failure: failure, at: Date())
        return CarriedOut(finished: finished, failure: failure, shown: shown)
    }

    private func perform(
        _ operation: Operation, _ change: NameChange
    ) async throws(Delay) -> (RollForwardPlan.Answer, FileStatus?) {
        let account = operation.accountName
        do {
            switch change {
            case .publish(let path, let staged, _, let replaces):
                let shown = try await self.vault.show(staged, as: path, in: account, replacing: replaces)
                return (.published(shown.outcome), shown.status)
            case .move(let from, let target, let identity):
                let outcome = try await self.vault.move(from, to: target, in: account, identity: identity)
                guard outcome == .notThere else { return (.moved(outcome, shownAtTarget: false), nil) }
                let shown = try await self.vault.status(of: target, in: account)
                return (.moved(outcome, shownAtTarget: shown?.identity == identity), nil)
            case .remove(let path, let identity):
                let outcome = try await self.vault.remove(
                    path, in: account, identity: identity, operation: operation.id)
                return (.removed(outcome), nil)
            }
        } catch {
            throw .mount(error)
        }
    }
}
