package import ClusterModel
package import ClusterPorts
package import Logging
import ServiceLifecycle

import struct Foundation.Date
import struct Foundation.UUID

/// Accounts' view of files: uploads, downloads, listing and changes of names, the same at every node.
///
/// Each change is staged, decided by one statement, carried out on the mount and finished in the transfer log
/// (docs/FILES.md). ``run()`` performs what follows a complete body, so that a client that goes away cuts
/// nothing off halfway; without it every change fails with ``FileServiceError/notServing(reason:retryAfterSeconds:)``.
package final class FileService: Service {
    let vault: any FileVault
    let names: any NameStore
    let standing: any NodeStanding
    let log: TransferLog
    let limits: FileLimits
    let logger: Logger
    let shelter: Shelter
    let aftercare: Aftercare
    let changer: NameChanger
    let uploads: OpenUploads
    /// Of all uploads, plain and resumable ones.
    let gathering = GatherBudget()
    let quotas: (any QuotaReading)?
    /// Copies of folders, and folders that are read as a whole.
    let copies: OpenUploads
    let readings: OpenUploads

    /// - Parameter quotas: asked before bodies are received; nil where only decisions shall ask.
    package init(
        vault: any FileVault, names: any NameStore, transfers: any TransferStore, standing: any NodeStanding,
        log: TransferLog, limits: FileLimits, logger: Logger, quotas: (any QuotaReading)? = nil
    ) {
        self.quotas = quotas
        self.vault = vault
        self.names = names
        self.standing = standing
        self.log = log
        self.limits = limits
        self.logger = logger
        self.shelter = Shelter(limit: limits.changes)
        self.uploads = OpenUploads(limit: limits.openUploads)
        self.copies = OpenUploads(limit: limits.openCopies)
        self.readings = OpenUploads(limit: limits.openArchives)
        let rollForward = RollForward(vault: vault, transfers: transfers)
        self.aftercare = Aftercare(
            names: names, vault: vault, standing: standing, rollForward: rollForward, log: log,
            limit: limits.leftovers, logger: logger)
        self.changer = NameChanger(
            names: names, transfers: transfers, standing: standing,
            decider: Decider(names: names, batch: limits.decisionBatch, queue: limits.decisionQueue),
            rollForward: rollForward, aftercare: self.aftercare, log: log, patience: limits.conflictPatience,
            logger: logger, metered: MeteredAccounts(limit: limits.meteredAccounts),
            countedEntries: limits.countedEntries)
    }

    /// Ends on graceful shutdown, when the changes in hand are done.
    package func run() async throws {
        await withTaskGroup { group in
            group.addTask { await self.shelter.run() }
            group.addTask { await self.aftercare.run() }
        }
    }

    /// Whether ``run()`` runs and has not begun to end, so that changes are performed.
    package var isRunning: Bool { self.shelter.isOpen }

    /// Uploads being received now.
    package var openUploads: Int { self.uploads.count }

    // MARK: - Reading

    /// What stands at the path; links are shown as links.
    package func status(of path: HomePath, by caller: Caller) async throws(FileServiceError) -> FileStatus {
        _ = try self.rightToRead()
        let found = try await onMount(path) { () async throws(VaultError) in
            try await self.vault.status(of: path, in: caller.account.name)
        }
        guard let found else { throw .notFound(path) }
        return found
    }

    /// Entries in the order of their names' bytes; `limit` is at most 10,000.
    ///
    /// - Parameter walk: the same for all pages of one listing.
    package func list(
        _ path: HomePath, by caller: Caller, after name: [UInt8]?, limit: Int, walk: ListingWalk? = nil
    ) async throws(FileServiceError) -> [FolderEntry] {
        _ = try self.rightToRead()
        return try await onMount(path) { () async throws(VaultError) in
            try await self.vault.list(
                path, in: caller.account.name, after: name, limit: min(max(limit, 1), 10_000), walk: walk)
        }
    }

    /// Opens a file for one download, which ends with ``Download/ended(sent:failure:)``.
    package func open(_ path: HomePath, by caller: Caller) async throws(FileServiceError) -> Download {
        let right = try self.rightToSend()
        guard !path.isHome else { throw .isFolder(path) }
        let file = try await onMount(path) { () async throws(VaultError) in
            try await self.vault.open(path, in: caller.account.name)
        }
        return self.download(of: file, at: path, by: caller, right)
    }

    func download(
        of file: any OpenedFile, at path: HomePath, by caller: Caller, _ right: NodeRight
    ) -> Download {
        let operation = self.operation(by: caller, right)
        let record = TransferRecord(
            id: operation.id, kind: .download, status: .running, account: caller.account.name, path: path,
            size: 0,
            digest: nil, origin: operation.origin, incarnation: right.incarnation, endedAt: nil)
        return Download(
            file: file, path: path, longestRead: self.limits.readBytes, transfer: self.log.begin(record))
    }

    // MARK: - Rights

    /// New changes begin only at a node that serves.
    func rightToChange() throws(FileServiceError) -> NodeRight {
        if case .serving(let right, _) = self.standing.standing() { return right }
        throw self.notServing()
    }

    /// Reading goes on at a node that drains: what it shows is as fresh as anywhere.
    func rightToRead() throws(FileServiceError) -> NodeRight {
        switch self.standing.standing() {
        case .serving(let right, _), .draining(let right, _): return right
        case .outside, .stale, .isolated, .sick: throw self.notServing()
        }
    }

    /// What is sent is logged when it ends: a node that stops begins no more of it.
    func rightToSend() throws(FileServiceError) -> NodeRight {
        let right = try self.rightToRead()
        if self.log.isEnding {
            throw .notServing(reason: "this node is stopping", retryAfterSeconds: 1)
        }
        return right
    }

    private func notServing() -> FileServiceError {
        let reason =
            switch self.standing.standing() {
            case .outside: "this node is no member of its cluster"
            case .draining: "this node drains"
            case .stale, .isolated: "this node has lost its database"
            case .sick(_, let reason): reason
            case .serving: "this node is just coming back"
            }
        return .notServing(reason: reason, retryAfterSeconds: 1)
    }

    func operation(by caller: Caller, _ right: NodeRight) -> Operation {
        Operation(
            id: .next(), account: caller.account.id, accountName: caller.account.name,
            origin: TransferOrigin(
                node: right.name, protocol: caller.protocol, client: caller.client, startedAt: Date()))
    }
}

extension UUID {
    /// A fresh version 7 identifier.
    static func next() -> UUID {
        .version7(
            milliseconds: UInt64(max(0, Date().timeIntervalSince1970 * 1_000)),
            random: RandomPool.shared.pair())
    }
}
