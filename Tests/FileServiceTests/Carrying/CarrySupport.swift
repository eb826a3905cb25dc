import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import PostgresDriver
import PostgresStore
import Synchronization
import Testing
import WorkService

/// What a job asks, over the real queue.
final class QueueDesk: JobDesk {
    private let store: PostgresStore
    private let node: TestNode
    private let drains: Bool

    init(_ node: TestNode, drains: Bool = false) {
        self.store = node.cluster.database.store
        self.node = node
        self.drains = drains
    }

    /// As a node sees it that has not heard of its loss.
    func isHeld(_ title: JobTitle) -> Bool { true }
    var isDraining: Bool { self.drains }
    func note(_ progress: JobProgress, of title: JobTitle) async -> Bool {
        guard !self.node.gate.stops() else { return false }
        return (try? await self.store.note(progress, of: title, by: self.node.right)) ?? false
    }
    func right(of title: JobTitle) -> NodeRight? { self.node.right }
}

/// Claimed names whose node can die.
struct GatedClaims: ClaimedNames {
    let inner: any ClaimedNames
    let gate: Gate

    func names(holding title: JobTitle, enabled accounts: [AccountID]) -> any NameStore {
        GatedNames(inner: self.inner.names(holding: title, enabled: accounts), gate: self.gate)
    }
}

/// Does what a test says before each decision of a job.
struct HookedClaims: ClaimedNames {
    let inner: any ClaimedNames
    var beforeDecide: HookedNames.Hook
    var beforeRead: HookedNames.Hook = {}

    func names(holding title: JobTitle, enabled accounts: [AccountID]) -> any NameStore {
        HookedNames(
            inner: self.inner.names(holding: title, enabled: accounts), beforeDecide: self.beforeDecide,
            beforeRead: self.beforeRead)
    }
}

/// The broken twin: decisions of jobs prove that the node lives, and not that it holds the claim.
struct NaiveClaims: ClaimedNames {
    let names: any NameStore

    func names(holding title: JobTitle, enabled accounts: [AccountID]) -> any NameStore { self.names }
}

extension TestNode {
    /// - Parameter claims: the database's if nil.
    func handler(_ errand: CarryHandler.Errand, _ claims: (any ClaimedNames)? = nil) -> CarryHandler {
        let claims = claims ?? self.cluster.database.store
        return CarryHandler(
            errand, vault: GatedVault(inner: self.cluster.vault, gate: self.gate),
            files: JobFileDesk(files: self.files, names: GatedClaims(inner: claims, gate: self.gate)),
            accounts: self.cluster.store, piece: 1_024)
    }

    func run(
        _ job: ClaimedJob, claims: (any ClaimedNames)? = nil, drains: Bool = false
    ) async -> JobEnd {
        let errand: CarryHandler.Errand = job.kind == WorkKind.copy ? .copy : .move
        return await self.handler(errand, claims).run(job, QueueDesk(self, drains: drains))
    }

    func claim() async throws -> ClaimedJob { try #require(try await self.claimAny(), "nothing is ready") }

    /// Nil when nothing is ready.
    func claimAny() async throws -> ClaimedJob? {
        let store = self.cluster.database.store
        guard let lane = try await store.survey(after: nil, lanes: 1, depth: 1).first else { return nil }
        let share = LaneShare(lane: lane.lane, kind: lane.kind, account: lane.account, from: nil, most: 1)
        return try await store.claim([share], by: self.right)?.first
    }

    /// Claims, runs and ends the job; what is to be tried again is ready at once.
    @discardableResult
    func work() async throws -> JobEnd {
        let job = try await self.claim()
        let end = await self.run(job)
        try await self.end(job, end)
        return end
    }

    func end(_ job: ClaimedJob, _ end: JobEnd) async throws {
        let store = self.cluster.database.store
        let answers = try await store.finish([JobEnding(title: job.title, end: end)], by: self.right)
        #expect(answers == [.accepted])
        guard case .retry = end else { return }
        _ = try await store.retry([job.title.job], by: "test")
    }
}

extension TestCluster {
    /// Another account with a home.
    func account(_ name: String, enabled: Bool = true) async throws -> Account {
        let name = try #require(AccountName(name))
        try await self.vault.makeHome(of: name, adopting: false)
        let account = Account(
            id: AccountID(UUID()), name: name, enabled: enabled, passwordHash: nil, createdAt: Date(),
            changedAt: Date(), revision: 1)
        return try #require(try await self.database.store.create(account))
    }

    /// - Parameters:
    ///   - from, to: account and path, `acme/a`.
    ///   - more: of the payload, beginning with a comma.
    @discardableResult
    func enqueue(_ kind: JobKind, _ from: String, _ to: String, _ more: String = "") async throws -> JobID {
        func place(_ text: String) -> String {
            let parts = text.split(separator: "/", maxSplits: 1)
            return #"{"account": "\#(parts[0])", "path": "\#(parts[1])"}"#
        }
        let payload = #"{"from": \#(place(from)), "to": \#(place(to))\#(more)}"#
        let answers = try await self.database.store.enqueue(
            [JobSpec(kind: kind, payload: payload, submitter: "test")])
        guard case .enqueued(let id)? = answers.first else { throw NotJoined() }
        return id
    }

    func write(_ place: String, _ text: String) throws {
        let file = URL(filePath: "\(self.folder)/homes/\(place)")
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    func read(_ place: String) -> String? {
        FileManager.default.contents(atPath: "\(self.folder)/homes/\(place)")
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// What jobs have completed, `upload /x`, in order.
    func carried() async throws -> [String] {
        try await self.transfers {
            $0.status = .completed
            $0.`protocol` = JobFileDesk.spoken
        }.map { "\($0.kind.rawValue) \($0.account)\($0.path)" }.sorted()
    }
}

/// Numbers from a seed.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
