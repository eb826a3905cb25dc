import ClusterModel
package import ClusterPorts
import Coordinator
import Foundation

/// Says why a job stands where it stands, from one survey and the published view.
package struct QueueExplainer: JobExplainer {
    private let store: any JobStore
    private let standing: any NodeStanding
    private let runner: JobRunner

    /// Lanes that are looked through at most.
    private static let lanesMax = 4_000
    private static let page = 1_000

    package init(store: any JobStore, standing: any NodeStanding, runner: JobRunner) {
        self.store = store
        self.standing = standing
        self.runner = runner
    }

    package func because(_ job: JobRecord) async -> [String] {
        switch job.state {
        case .ready: return await self.whyNotTaken(job)
        case .later:
            let due = job.dueAt.map { $0.formatted(.iso8601) } ?? "some time"
            let again =
                job.attempt > 0 ? "attempt \(job.attempt) of \(job.spec.maxAttempts) did not succeed; " : ""
            return ["\(again)it is not due before \(due)"]
        case .waiting:
            let before = job.before.map { "\($0)" } ?? "some"
            return ["\(before) jobs with the order key “\(job.spec.orderKey ?? "")” go before it"]
        case .claimed:
            return [
                "\(job.node?.description ?? "a node") claimed it: nodes with free slots take what is first in its lane"
            ]
        case .done: return ["it is done"]
        case .failed:
            return [
                "it failed for good after \(job.attempt) of \(job.spec.maxAttempts) attempts; retry sends it back"
            ]
        case .cancelled: return ["it was cancelled; retry sends it back"]
        }
    }

    private func whyNotTaken(_ job: JobRecord) async -> [String] {
        guard let view = self.standing.view() else {
            return ["this node knows of no view of the cluster yet"]
        }
        let backlog: LaneBacklog?
        do throws(StoreError) {
            backlog = try await self.lane(of: job)
        } catch { return ["the queue could not be looked at: \(error)"] }
        guard let backlog else {
            return ["it was taken a moment ago, or stands in none of \(Self.lanesMax) lanes"]
        }
        var hands: [Slot: ExplainJob.Hands] = [:]
        if let right = self.standing.standing().right {
            hands[right.slot] = self.runner.hands(of: job.spec.kind)
        }
        var lines = ["\(backlog.ready) jobs are ready in its lane; the first has waited \(backlog.waited)"]
        for verdict in ExplainJob(backlog: backlog, view: view).verdicts(hands: hands) {
            guard let member = view.members.first(where: { $0.slot == verdict.slot }), member.status != .dead
            else {
                continue
            }
            let reasons = verdict.reasons.map(\.description).joined(separator: "; ")
            lines.append("\(member.name): " + (reasons.isEmpty ? "may take it" : reasons))
        }
        return lines
    }

    private func lane(of job: JobRecord) async throws(StoreError) -> LaneBacklog? {
        var after: JobLane?
        var seen = 0
        while seen < Self.lanesMax {
            let lanes = try await self.store.survey(after: after, lanes: Self.page, depth: 1_000)
            if let found = lanes.first(where: { lane in
                lane.kind == job.spec.kind && lane.account == job.spec.account
                    && Set(lane.requires).isSuperset(of: job.spec.requires)
            }) {
                return found
            }
            guard lanes.count == Self.page else { return nil }
            seen += lanes.count
            after = lanes.last?.lane
        }
        return nil
    }
}
