import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import Logging
import NIOCore
import PostgresStore
import SharedMount
import Testing

/// One database and one mount with the account “acme”; gone after the test.
struct TestCluster: Sendable {
    struct NotJoined: Error {}

    let database: TestDatabase
    let store:
        any ClusterStore & DepartureStore & ShardStore & NameStore & TransferStore & AccountStore & QuotaStore
    let vault: any FileVault
    let area: any SegmentArea
    let folder: String
    let account: Account

    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static func with(_ body: (TestCluster) async throws -> Void) async throws {
        try await withTestDatabase { database in
            let folder = try ScratchFolder("files")
            let vault = PosixVault(root: folder.path)
            let facts = try await database.store.facts()
            let nonce = try #require(MountNonce((0..<16).map { UInt8($0) }))
            _ = try await vault.establish(MountIdentity(cluster: facts.cluster, nonce: nonce))
            let name = try #require(AccountName("acme"))
            try await vault.makeHome(of: name, adopting: false)
            let account = Account(
                id: AccountID(UUID()), name: name, enabled: true, passwordHash: nil, createdAt: Date(),
                changedAt: Date(), revision: 1)
            let made = try #require(try await database.store.create(account))
            try await body(
                TestCluster(
                    database: database, store: database.store, vault: vault, area: vault, folder: folder.path,
                    account: made))
            await vault.shutDown()
        }
    }

    var caller: Caller { Caller(account: self.account, client: "127.0.0.1", protocol: "http") }

    /// A node that has joined.
    func node(
        _ name: String, gate: Gate = Gate(), uploads: UploadLimits = UploadLimits(),
        limits: FileLimits = FileLimits(),
        names: (@Sendable (any NameStore) -> any NameStore)? = nil,
        uploadNames: @escaping @Sendable (any NameStore) -> any NameStore = { $0 }
    ) async throws -> TestNode {
        let incarnation = try await self.store.nextIncarnation(above: nil)
        _ = try await self.vault.note(incarnation)
        let request = JoinRequest.test(incarnation, named: NodeName(name))
        guard case .joined(let slot, let name) = try await self.store.join(request) else { throw NotJoined() }
        let right = NodeRight(slot: slot, incarnation: incarnation, name: name)
        return TestNode(self, right, gate, names?(self.store) ?? self.store, uploadNames, uploads, limits)
    }

    // MARK: - What is there

    func content(_ path: String) -> String? {
        FileManager.default.contents(atPath: "\(self.folder)/homes/acme/\(path)")
            .map { String(decoding: $0, as: UTF8.self) }
    }

    func staged() async throws -> [StagedName] {
        var all: [StagedName] = []
        for incarnation in try await self.vault.stagingIncarnations() {
            all += try await self.vault.staged(of: incarnation)
        }
        return all
    }

    func transfers(_ change: (inout TransferQuery) -> Void = { _ in }) async throws -> [TransferRecord] {
        var query = TransferQuery()
        query.limit = 1_000
        change(&query)
        return try await self.store.transfers(query)
    }
}

/// One node's file service; what it asks of mount and database goes through its gate.
struct TestNode: Sendable {
    let right: NodeRight
    let standing: FixedStanding
    let gate: Gate
    let log: TransferLog
    let files: FileService
    let uploads: UploadService
    let recovery: Recovery
    let cluster: TestCluster

    init(
        _ cluster: TestCluster, _ right: NodeRight, _ gate: Gate, _ names: any NameStore,
        _ uploadNames: @escaping @Sendable (any NameStore) -> any NameStore, _ uploads: UploadLimits,
        _ limits: FileLimits
    ) {
        let standing = FixedStanding(right)
        let vault = GatedVault(inner: cluster.vault, gate: gate)
        let names = GatedNames(inner: names, gate: gate)
        let transfers = GatedTransfers(inner: cluster.store, gate: gate)
        var limits = limits
        limits.conflictPatience = gate.patience
        let logger = TestCluster.logger
        self.log = TransferLog(
            names: names, transfers: transfers, standing: standing, limits: limits, logger: logger)
        self.files = FileService(
            vault: vault, names: names, transfers: transfers, standing: standing, log: self.log,
            limits: limits,
            logger: logger, quotas: cluster.database.store)
        let rows = GatedUploads(inner: cluster.database.store, gate: gate, wrapped: uploadNames)
        self.uploads = UploadService(
            files: self.files, area: GatedSegments(inner: cluster.area, gate: gate), store: rows, names: rows,
            limits: uploads, logger: logger)
        self.recovery = Recovery(
            vault: vault, names: names, transfers: transfers, segments: cluster.database.store,
            cluster: cluster.store, departures: cluster.store, standing: standing, logger: logger)
        self.right = right
        self.standing = standing
        self.gate = gate
        self.cluster = cluster
    }

    /// Runs its services around the body; afterwards its transfer log is written, unless it died.
    func running(_ body: @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await self.log.run() }
            group.addTask { try await self.files.run() }
            group.addTask { try await self.uploads.run() }
            try await eventually("the file service runs") { self.files.isRunning && self.uploads.isRunning }
            do {
                try await body()
                try await self.flush()
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
        }
    }

    func flush() async throws {
        try await eventually("the log is written") { self.log.backlog == 0 || self.gate.isClosed }
    }

    /// The cluster takes it for dead.
    func bury() async throws {
        _ = try await self.cluster.store.leave(slot: self.right.slot, incarnation: self.right.incarnation)
    }

    @discardableResult
    func put(
        _ path: String, _ text: String, expected: Int64? = nil,
        _ change: (inout PutOptions) -> Void = { _ in }
    ) async throws -> PutReceipt {
        var options = PutOptions()
        change(&options)
        return try await self.files.put(
            try Samples.path(path), by: self.cluster.caller, options: options, expectedLength: expected,
            body: Body(text))
    }
}

/// A body in pieces of three bytes.
struct Body: AsyncSequence, Sendable {
    struct Gone: Error {}

    let text: String
    var breaks = false

    init(_ text: String, breaks: Bool = false) {
        self.text = text
        self.breaks = breaks
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        var rest: ArraySlice<UInt8>
        var breaks: Bool

        mutating func next() async throws -> ByteBuffer? {
            if self.rest.isEmpty, self.breaks { throw Gone() }
            guard !self.rest.isEmpty else { return nil }
            let piece = self.rest.prefix(3)
            self.rest = self.rest.dropFirst(3)
            return ByteBuffer(bytes: piece)
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(rest: Array(self.text.utf8)[...], breaks: self.breaks)
    }
}
