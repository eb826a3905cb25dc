package import ClusterModel
package import ClusterPorts
package import Logging
import NIOCore

package import struct Foundation.UUID

/// The mount through POSIX calls; docs/mount.md says what holds and how it fails.
///
/// Blocking calls run on threads of its own, never on the concurrency pool. One vault serves a whole node.
package final class PosixVault: FileVault {
    private let root: CurrentRoot
    private let calls: BlockingCalls
    private let probe = Probe()
    private let kept = KeptScans()
    private let logger: Logger
    private let beforeProbe: @Sendable () -> Void

    /// How a vault behaves; the defaults are for every day.
    package struct Options: Sendable {
        /// For blocking calls; a mount that hangs may hold them all.
        package var threads = 16
        /// Calls that may wait for a thread; one more fails with `hanging`.
        package var waitingMax = 4_096
        /// Works as on a file system that cannot rename without replacing.
        package var emulatesExclusiveRename = false
        /// Runs on the probe's thread before it looks; tests let it hang.
        package var beforeProbe: @Sendable () -> Void = {}

        package init() {}
    }

    /// Opens nothing yet: the first call does, and fails with `foreign` when the root is not there.
    ///
    /// Nothing is ever created above the root.
    package init(root: String, options: Options = Options(), logger: Logger = Logger(label: "flotilla.mount"))
    {
        self.root = CurrentRoot(path: root, emulating: options.emulatesExclusiveRename)
        self.calls = BlockingCalls(threads: options.threads, waiting: options.waitingMax)
        self.beforeProbe = options.beforeProbe
        self.logger = logger
    }

    /// Ends the threads after all calls that were made; later calls fail.
    ///
    /// Does not return while the mount hangs.
    package func shutDown() async { await self.calls.stop() }

    private func perform<Answer: Sendable>(
        _ calls: @escaping @Sendable (MountRoot) throws(VaultError) -> Answer
    ) async throws(VaultError) -> Answer {
        let root = self.root
        return try await self.calls.run { () throws(VaultError) in try calls(root.get()) }
    }
}

extension PosixVault {
    package func identity() async throws(VaultError) -> MountIdentity? {
        try await self.perform { root throws(VaultError) in try root.identity() }
    }

    package func establish(_ proposed: MountIdentity) async throws(VaultError) -> MountIdentity {
        try await self.perform { root throws(VaultError) in try root.establish(proposed) }
    }

    package func probe(expecting identity: MountIdentity, within deadline: Duration) async throws(VaultError)
    {
        let (root, beforeProbe) = (self.root, self.beforeProbe)
        self.kept.dropOld()
        try await self.probe.run(within: deadline) { () throws(VaultError) in
            beforeProbe()
            try root.look(expecting: identity)
        }
    }

    package func highestIncarnation() async throws(VaultError) -> Incarnation? {
        try await self.perform { root throws(VaultError) in try root.highestIncarnation() }
    }

    package func note(_ incarnation: Incarnation) async throws(VaultError) -> Bool {
        try await self.perform { root throws(VaultError) in try root.note(incarnation) }
    }
}

extension PosixVault {
    package func stage(
        _ operation: UUID, for incarnation: Incarnation
    ) async throws(VaultError) -> any StagedFile {
        let calls = self.calls
        return try await self.perform { root throws(VaultError) in
            PosixStagedFile(try root.begin(operation, for: incarnation), calls: calls)
        }
    }

    package func stageWhole(
        _ whole: WholeFile, for incarnation: Incarnation,
        unless objected: @escaping @Sendable (PathLook) -> Bool
    ) async throws(VaultError) -> WholeStaging {
        try await self.perform { root throws(VaultError) in
            try root.stageWhole(whole, for: incarnation, unless: objected)
        }
    }

    package func begin(
        _ operation: UUID, for incarnation: Incarnation, at path: HomePath, in account: AccountName,
        unless objected: @escaping @Sendable (PathLook) -> Bool
    ) async throws(VaultError) -> BegunStaging {
        let calls = self.calls
        return try await self.perform { root throws(VaultError) in
            let look = try root.look(at: path, in: account)
            if objected(look) { return BegunStaging(look: look, file: nil) }
            let writing = try root.begin(operation, for: incarnation)
            return BegunStaging(look: look, file: PosixStagedFile(writing, calls: calls))
        }
    }

    package func stageFolder(
        _ operation: UUID, for incarnation: Incarnation
    ) async throws(VaultError) -> StagedIdentity {
        try await self.perform { root throws(VaultError) in try root.stageFolder(operation, for: incarnation)
        }
    }

    package func discard(_ staged: StagedName) async throws(VaultError) {
        try await self.perform { root throws(VaultError) in try root.discard(staged) }
    }

    package func stagingIncarnations() async throws(VaultError) -> [Incarnation] {
        try await self.perform { root throws(VaultError) in try root.stagingIncarnations() }
    }

    package func staged(of incarnation: Incarnation) async throws(VaultError) -> [StagedName] {
        try await self.perform { root throws(VaultError) in try root.staged(of: incarnation) }
    }

    package func removeStaging(of incarnation: Incarnation) async throws(VaultError) -> Bool {
        try await self.perform { root throws(VaultError) in try root.removeStaging(of: incarnation) }
    }

    package func emptyTrash(limit: Int) async throws(VaultError) -> Int {
        let round = try await self.perform { root throws(VaultError) in try root.emptyTrash(limit: limit) }
        if !round.putBack.isEmpty {
            self.logger.warning(
                "put back what a late removal took", metadata: ["trash.paths": "\(round.putBack.prefix(10))"])
        }
        if !round.kept.isEmpty {
            self.logger.warning(
                "the trash keeps what it must not delete",
                metadata: ["trash.kept": "\(round.kept.prefix(10))"])
        }
        return round.deleted
    }
}

extension PosixVault {
    package func walk(
        _ path: HomePath, in account: AccountName
    ) async throws(VaultError) -> any FolderWalk {
        let calls = self.calls
        return try await self.perform { root throws(VaultError) in
            let walk = try naming(path.description) { () throws(SystemFailure) in
                try TreeWalk(root.openFolder(path, in: account), deepest: PosixFolderWalk.deepest)
            }
            return PosixFolderWalk(walk, shown: path.description, calls: calls)
        }
    }

    package func copyFolder(
        _ path: HomePath, in account: AccountName, for operation: UUID, of incarnation: Incarnation,
        bounds: TreeBounds
    ) async throws(VaultError) -> any FolderCopy {
        let calls = self.calls
        return try await self.perform { root throws(VaultError) in
            let walk = try naming(path.description) { () throws(SystemFailure) in
                try TreeWalk(root.openFolder(path, in: account), deepest: bounds.depth)
            }
            let staged = try root.stageTree(operation, for: incarnation)
            return PosixFolderCopy(
                name: staged.name, work: TreeCopy(walk, to: staged.folder, entriesMax: bounds.entries),
                calls: calls)
        }
    }

    package func scratch(of incarnation: Incarnation) async throws(VaultError) -> any ScratchFile {
        let calls = self.calls
        return try await self.perform { root throws(VaultError) in
            PosixScratchFile(try root.scratch(of: incarnation), calls: calls)
        }
    }
}

extension PosixVault: SegmentArea {
    package func makeSegment(
        _ upload: UploadID, for incarnation: Incarnation
    ) async throws(VaultError) -> any SegmentFile {
        let calls = self.calls
        return try await self.perform { root throws(VaultError) in
            let made = try root.makeSegment(upload, for: incarnation)
            return PosixSegmentFile(
                name: made.name, isNamed: false, root: root, folder: made.folder, file: made.file,
                calls: calls)
        }
    }

    package func openSegment(_ name: StagedName) async throws(VaultError) -> any SegmentFile {
        let calls = self.calls
        return try await self.perform { root throws(VaultError) in
            let found = try root.openStaged(name)
            return PosixSegmentFile(
                name: name, isNamed: false, root: root, folder: found.folder, file: found.file, calls: calls)
        }
    }
}

extension PosixVault {
    package func makeHome(of account: AccountName, adopting: Bool) async throws(VaultError) {
        try await self.perform { root throws(VaultError) in try root.makeHome(of: account, adopting: adopting)
        }
    }

    package func hasHome(of account: AccountName) async throws(VaultError) -> Bool {
        try await self.perform { root throws(VaultError) in try root.hasHome(of: account) }
    }

    package func status(of path: HomePath, in account: AccountName) async throws(VaultError) -> FileStatus? {
        try await self.perform { root throws(VaultError) in try root.status(of: path, in: account) }
    }

    package func open(_ path: HomePath, in account: AccountName) async throws(VaultError) -> any OpenedFile {
        let calls = self.calls
        return try await self.perform { root throws(VaultError) in
            let opened = try root.openFile(path, in: account)
            let shown = path.description
            var content = PosixOpenedFile.Content.open(.init(opened.file, isLocal: opened.isLocal))
            if opened.status.size <= PosixOpenedFile.readAtOnce {
                // One byte more: whoever finds it knows that the file grew, and reads on as it is asked to.
                let count = Int(opened.status.size)
                let bytes = try naming(shown) { () throws(SystemFailure) in
                    try opened.file.bytes(from: 0, count: count + 1)
                }
                if bytes.readableBytes == count { content = .whole(bytes) }
            }
            return PosixOpenedFile(shown: shown, status: opened.status, content: content, calls: calls)
        }
    }

    package func openReady(_ path: HomePath, in account: AccountName) -> (any OpenedFile)? {
        guard let root = self.root.ready, root.isLocal, let opened = root.openReady(path, in: account) else {
            return nil
        }
        // A file of a disk of this machine closes at once, even if it was the last hold of a file that is gone.
        var content = PosixOpenedFile.Content.open(.init(opened.file, isLocal: true, closesOnTheSpot: true))
        if opened.status.size <= PosixOpenedFile.readAtOnce {
            guard let bytes = opened.file.readyBytes(count: Int(opened.status.size)) else { return nil }
            content = .whole(bytes)
        }
        return PosixOpenedFile(
            shown: path.description, status: opened.status, content: content, calls: self.calls)
    }

    package func list(
        _ path: HomePath, in account: AccountName, after name: [UInt8]?, limit: Int, walk: ListingWalk?
    ) async throws(VaultError) -> [FolderEntry] {
        let kept = self.kept
        return try await self.perform { root throws(VaultError) in
            try root.list(path, in: account, after: name, limit: limit, walk: walk, kept: kept)
        }
    }
}

extension PosixVault {
    /// Ends early when the task is cancelled.
    package func tally(
        below folder: HomePath, in account: AccountName, limit: Int
    ) async throws(VaultError) -> HomeUse? {
        let stop = StopFlag()
        let answer = await withTaskCancellationHandler {
            await self.counted(folder, account, limit, stop)
        } onCancel: {
            stop.set()
        }
        return try answer.get()
    }

    private func counted(
        _ folder: HomePath, _ account: AccountName, _ limit: Int, _ stop: StopFlag
    ) async -> Result<HomeUse?, VaultError> {
        do throws(VaultError) {
            return .success(
                try await self.perform { root throws(VaultError) in
                    try root.tally(below: folder, in: account, limit: limit, stop)
                })
        } catch {
            return .failure(error)
        }
    }
}

extension PosixVault {
    package func show(
        _ staged: StagedIdentity, as path: HomePath, in account: AccountName, replacing: Bool
    ) async throws(VaultError) -> Shown {
        try await self.perform { root throws(VaultError) in
            try root.publish(staged, as: path, in: account, replacing: replacing)
        }
    }

    package func move(
        _ from: HomePath, to target: HomePath, in account: AccountName, identity: FileIdentity
    ) async throws(VaultError) -> MoveOutcome {
        try await self.perform { root throws(VaultError) in
            try root.move(from, to: target, in: account, identity: identity)
        }
    }

    package func remove(
        _ path: HomePath, in account: AccountName, identity: FileIdentity, operation: UUID
    ) async throws(VaultError) -> MoveOutcome {
        try await self.perform { root throws(VaultError) in
            try root.remove(path, in: account, identity: identity, operation: operation)
        }
    }

    package func makeFolders(_ path: HomePath, in account: AccountName) async throws(VaultError) {
        try await self.perform { root throws(VaultError) in try root.makeFolders(path, in: account) }
    }
}
