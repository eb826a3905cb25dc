import ClusterModel
package import ClusterPorts

/// Looks whether a body that is on its way can still fit into its account's quota.
///
/// Only spares bytes: what it lets pass is judged by the decision, and where the database does not answer it lets pass.
struct RoomWatch: Sendable {
    private let quotas: any QuotaReading
    private let account: AccountID
    /// Nil for a plain upload: of open uploads only the resumable ones take room from one another.
    private let upload: UploadID?
    /// What the body replaces.
    private let found: HomeUse
    private let step: Int64
    private var known: AccountQuota?
    /// Looked up again from so many bytes on.
    private var dueAt: Int64 = 0

    init(
        _ quotas: any QuotaReading, _ account: AccountID, upload: UploadID?, replacing found: HomeUse,
        step: Int64
    ) {
        self.quotas = quotas
        self.account = account
        self.upload = upload
        self.found = found
        self.step = max(1, step)
    }

    /// - Parameter total: bytes of the file as far as they are known to come, from its first one on.
    mutating func objection(total: Int64) async -> FileServiceError? {
        var isFresh = false
        if total >= self.dueAt {
            await self.look(total)
            isFresh = true
        }
        guard self.judge(total) != nil else { return nil }
        // Somebody may have made room since.
        if !isFresh { await self.look(total) }
        return self.judge(total).map { .overQuota($0) }
    }

    private mutating func look(_ total: Int64) async {
        self.known = try? await self.quotas.quota(of: self.account, besides: self.upload)
        let (due, isBeyond) = total.addingReportingOverflow(self.step)
        self.dueAt = isBeyond ? .max : due
    }

    private func judge(_ total: Int64) -> QuotaRefusal? {
        self.known.flatMap {
            QuotaRules.objection(
                to: total, over: self.found, $0, countingOpen: self.upload != nil)
        }
    }
}

extension FileService {
    /// Nil for accounts without a quota.
    ///
    /// - Parameter found: what the upload replaces.
    func room(for found: FileStatus?, by caller: Caller, upload: UploadID? = nil) async -> RoomWatch? {
        guard caller.account.quota != nil, let quotas = self.quotas else { return nil }
        return RoomWatch(
            quotas, caller.account.id, upload: upload, replacing: QuotaRules.use(of: found),
            step: self.limits.roomBytes)
    }

    /// The same for a resumable upload, which looks itself what stands at its path.
    func room(
        for path: HomePath?, by caller: Caller, of upload: UploadID
    ) async -> RoomWatch? {
        guard caller.account.quota != nil else { return nil }
        var found: FileStatus?
        if let path { found = try? await self.vault.status(of: path, in: caller.account.name) }
        return await self.room(for: found, by: caller, upload: upload)
    }

    /// How the caller's account stands; nil when it has no quota.
    package func quota(by caller: Caller) async throws(FileServiceError) -> AccountQuota? {
        guard caller.account.quota != nil, let quotas = self.quotas else { return nil }
        return try await onStore { () async throws(StoreError) in
            try await quotas.quota(of: caller.account.id, besides: nil)
        }
    }
}
