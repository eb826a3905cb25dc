import ClusterModel
import ClusterPorts
import Foundation
import NIOCore
import Synchronization

/// Where a node can be made to die: from that step on, nothing that it asks of the mount or the database happens.
enum Step: String, CaseIterable, Sendable {
    case beforeOpen
    case beforeStage, beforeAppend, beforeSeal, afterSeal
    case beforeReserve, afterReserve
    case beforeDecide, afterDecide
    case beforePublish, afterPublish
    case beforeFinish, afterFinish
    case beforeTake, afterTake, beforeNote, afterNote
    case beforeCopy, beforeConsume

    /// Those that a plain change comes by.
    static let allCases: [Step] = [
        .beforeStage, .beforeAppend, .beforeSeal, .afterSeal, .beforeReserve, .afterReserve, .beforeDecide,
        .afterDecide, .beforePublish, .afterPublish, .beforeFinish, .afterFinish,
    ]
    /// Those of a resumable upload.
    static let ofUploads: [Step] = [
        .beforeTake, .beforeStage, .afterTake, .beforeAppend, .beforeNote, .afterNote, .beforeSeal,
        .afterSeal,
        .beforeDecide, .afterDecide, .beforePublish, .afterPublish, .beforeFinish, .afterFinish,
    ]
    /// Those of one that is put together from others.
    static let ofComposing: [Step] = [
        .beforeTake, .beforeStage, .afterTake, .beforeCopy, .beforeNote, .afterNote, .beforeSeal, .afterSeal,
        .beforeDecide, .afterDecide, .beforePublish, .afterPublish, .beforeConsume, .beforeFinish,
        .afterFinish,
    ]
}

/// Lets calls through until a step comes by.
final class Gate: Sendable {
    private let stopsAt: Mutex<Step?>
    private let closed = Mutex(false)
    /// Of staging folders that cannot be listed, and of those in which nothing that is discarded goes.
    private let folders = Mutex<(unreadable: Set<Incarnation>, endless: Set<Incarnation>)>(([], []))
    private let met = Mutex<(step: Step, body: @Sendable () -> Void)?>(nil)

    /// How long its node waits for others, and for the database to tell what became of a lost reply.
    let patience: Duration

    init(stopsAt step: Step? = nil, patience: Duration = .seconds(10)) {
        self.stopsAt = Mutex(step)
        self.patience = patience
    }

    var isClosed: Bool { self.closed.withLock { $0 } }

    func stop(at step: Step?) { self.stopsAt.withLock { $0 = step } }

    /// Whether the node is to die there.
    func isAwaited(_ step: Step) -> Bool { self.stopsAt.withLock { $0 == step } }

    func setFolders(unreadable: Set<Incarnation> = [], endless: Set<Incarnation> = []) {
        self.folders.withLock { $0 = (unreadable, endless) }
    }

    func isUnreadable(_ incarnation: Incarnation) -> Bool {
        self.folders.withLock { $0.unreadable.contains(incarnation) }
    }

    func isEndless(_ incarnation: Incarnation) -> Bool {
        self.folders.withLock { $0.endless.contains(incarnation) }
    }

    /// Runs the body when the step comes by for the first time.
    func meet(_ step: Step, _ body: @escaping @Sendable () -> Void) {
        self.met.withLock { $0 = (step, body) }
    }

    /// True: the node is dead.
    func stops(_ step: Step? = nil) -> Bool {
        let body = self.met.withLock { met -> (@Sendable () -> Void)? in
            guard let due = met, due.step == step else { return nil }
            met = nil
            return due.body
        }
        body?()
        let hit = step != nil && step == self.stopsAt.withLock { $0 }
        return self.closed.withLock { closed in
            if hit { closed = true }
            return closed
        }
    }

    func passVault(_ step: Step? = nil) throws(VaultError) {
        if self.stops(step) { throw .failed("dead at \(step?.rawValue ?? "this call")") }
    }

    func passStore(_ step: Step? = nil) throws(StoreError) {
        if self.stops(step) { throw .notRun("dead at \(step?.rawValue ?? "this call")") }
    }
}

/// A vault whose node can die.
struct GatedVault: FileVault {
    let inner: any FileVault
    let gate: Gate

    func identity() async throws(VaultError) -> MountIdentity? { try await self.inner.identity() }
    func establish(_ proposed: MountIdentity) async throws(VaultError) -> MountIdentity {
        try await self.inner.establish(proposed)
    }
    func probe(expecting identity: MountIdentity, within deadline: Duration) async throws(VaultError) {
        try await self.inner.probe(expecting: identity, within: deadline)
    }
    func highestIncarnation() async throws(VaultError) -> Incarnation? {
        try await self.inner.highestIncarnation()
    }
    func note(_ incarnation: Incarnation) async throws(VaultError) -> Bool {
        try await self.inner.note(incarnation)
    }

    func stage(_ operation: UUID, for incarnation: Incarnation) async throws(VaultError) -> any StagedFile {
        try self.gate.passVault(.beforeStage)
        return GatedFile(inner: try await self.inner.stage(operation, for: incarnation), gate: self.gate)
    }
    func begin(
        _ operation: UUID, for incarnation: Incarnation, at path: HomePath, in account: AccountName,
        unless objected: @escaping @Sendable (PathLook) -> Bool
    ) async throws(VaultError) -> BegunStaging {
        try self.gate.passVault(.beforeStage)
        var begun = try await self.inner.begin(
            operation, for: incarnation, at: path, in: account, unless: objected)
        begun.file = begun.file.map { GatedFile(inner: $0, gate: self.gate) }
        return begun
    }
    /// In the inner one's single call no step comes by: where it is to die in the middle, the steps are taken one by one.
    func stageWhole(
        _ whole: WholeFile, for incarnation: Incarnation,
        unless objected: @escaping @Sendable (PathLook) -> Bool
    ) async throws(VaultError) -> WholeStaging {
        try self.gate.passVault(.beforeStage)
        if self.gate.isAwaited(.beforeAppend) || self.gate.isAwaited(.beforeSeal) {
            let file = GatedFile(
                inner: try await self.inner.stage(whole.operation, for: incarnation), gate: self.gate)
            _ = try await file.append(whole.pieces)
            _ = try await file.seal()
        }
        let staging = try await self.inner.stageWhole(whole, for: incarnation, unless: objected)
        try self.gate.passVault(.afterSeal)
        return staging
    }
    func stageFolder(_ operation: UUID, for incarnation: Incarnation) async throws(VaultError)
        -> StagedIdentity
    {
        try self.gate.passVault(.beforeStage)
        let staged = try await self.inner.stageFolder(operation, for: incarnation)
        try self.gate.passVault(.afterSeal)
        return staged
    }
    func discard(_ staged: StagedName) async throws(VaultError) {
        try self.gate.passVault()
        if self.gate.isEndless(staged.incarnation) { return }
        try await self.inner.discard(staged)
    }
    func stagingIncarnations() async throws(VaultError) -> [Incarnation] {
        try self.gate.passVault()
        return try await self.inner.stagingIncarnations()
    }
    func staged(of incarnation: Incarnation) async throws(VaultError) -> [StagedName] {
        try self.gate.passVault()
        if self.gate.isUnreadable(incarnation) { throw .failed("folder \(incarnation) cannot be read") }
        return try await self.inner.staged(of: incarnation)
    }
    func removeStaging(of incarnation: Incarnation) async throws(VaultError) -> Bool {
        try self.gate.passVault()
        return try await self.inner.removeStaging(of: incarnation)
    }
    func emptyTrash(limit: Int) async throws(VaultError) -> Int {
        try self.gate.passVault()
        return try await self.inner.emptyTrash(limit: limit)
    }

    func makeHome(of account: AccountName, adopting: Bool) async throws(VaultError) {
        try await self.inner.makeHome(of: account, adopting: adopting)
    }
    func hasHome(of account: AccountName) async throws(VaultError) -> Bool {
        try await self.inner.hasHome(of: account)
    }
    func status(of path: HomePath, in account: AccountName) async throws(VaultError) -> FileStatus? {
        try self.gate.passVault()
        return try await self.inner.status(of: path, in: account)
    }
    func open(_ path: HomePath, in account: AccountName) async throws(VaultError) -> any OpenedFile {
        try self.gate.passVault(.beforeOpen)
        return try await self.inner.open(path, in: account)
    }
    func list(
        _ path: HomePath, in account: AccountName, after name: [UInt8]?, limit: Int, walk: ListingWalk?
    ) async throws(VaultError) -> [FolderEntry] {
        try self.gate.passVault()
        return try await self.inner.list(path, in: account, after: name, limit: limit, walk: walk)
    }

    func walk(_ path: HomePath, in account: AccountName) async throws(VaultError) -> any FolderWalk {
        try self.gate.passVault(.beforeOpen)
        return try await self.inner.walk(path, in: account)
    }
    func copyFolder(
        _ path: HomePath, in account: AccountName, for operation: UUID, of incarnation: Incarnation,
        bounds: TreeBounds
    ) async throws(VaultError) -> any FolderCopy {
        try self.gate.passVault(.beforeStage)
        return GatedCopy(
            inner: try await self.inner.copyFolder(
                path, in: account, for: operation, of: incarnation, bounds: bounds), gate: self.gate)
    }
    func scratch(of incarnation: Incarnation) async throws(VaultError) -> any ScratchFile {
        try await self.inner.scratch(of: incarnation)
    }

    func show(
        _ staged: StagedIdentity, as path: HomePath, in account: AccountName, replacing: Bool
    ) async throws(VaultError) -> Shown {
        try self.gate.passVault(.beforePublish)
        let shown = try await self.inner.show(staged, as: path, in: account, replacing: replacing)
        try self.gate.passVault(.afterPublish)
        return shown
    }
    func move(
        _ from: HomePath, to target: HomePath, in account: AccountName, identity: FileIdentity
    ) async throws(VaultError) -> MoveOutcome {
        try self.gate.passVault(.beforePublish)
        let outcome = try await self.inner.move(from, to: target, in: account, identity: identity)
        try self.gate.passVault(.afterPublish)
        return outcome
    }
    func remove(
        _ path: HomePath, in account: AccountName, identity: FileIdentity, operation: UUID
    ) async throws(VaultError) -> MoveOutcome {
        try self.gate.passVault(.beforePublish)
        let outcome = try await self.inner.remove(path, in: account, identity: identity, operation: operation)
        try self.gate.passVault(.afterPublish)
        return outcome
    }
    func makeFolders(_ path: HomePath, in account: AccountName) async throws(VaultError) {
        try self.gate.passVault()
        try await self.inner.makeFolders(path, in: account)
    }
}

/// A copy of a folder whose node can die in the middle.
struct GatedCopy: FolderCopy {
    let inner: any FolderCopy
    let gate: Gate

    var name: StagedName { self.inner.name }
    func step() async throws(VaultError) -> FolderCopyStep {
        try self.gate.passVault(.beforeAppend)
        let step = try await self.inner.step()
        if case .done = step { try self.gate.passVault(.afterSeal) }
        return step
    }
    func close() async { await self.inner.close() }
}

/// A staged file whose node can die: a dead one does not even clean up.
struct GatedFile: StagedFile {
    let inner: any StagedFile
    let gate: Gate

    var name: StagedName { self.inner.name }
    func append(_ pieces: [ByteBuffer]) async throws(VaultError) -> Int64 {
        try self.gate.passVault(.beforeAppend)
        return try await self.inner.append(pieces)
    }
    var isWriting: Bool { self.inner.isWriting }
    func seal(_ pieces: [ByteBuffer]) async throws(VaultError) -> SealedFile {
        if !pieces.isEmpty { try self.gate.passVault(.beforeAppend) }
        try self.gate.passVault(.beforeSeal)
        let sealed = try await self.inner.seal(pieces)
        try self.gate.passVault(.afterSeal)
        return sealed
    }
    func discard() async {
        if !self.gate.stops() { await self.inner.discard() }
    }
}
