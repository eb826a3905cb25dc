package import ClusterModel
package import ClusterPorts
import Crypto
import NIOCore

/// Reads a file again and compares its SHA-256 with what was asked for, or with what the transfer log says was
/// published there.
///
/// Changes nothing, so it can be done again.
///
/// A file that was moved to its path is judged by what the log says of the path that it came from. Where nothing says
/// what it should be, give a digest.
package struct VerifyHandler: JobHandler {
    package let kind = WorkKind.verify
    private let files: any HomeFolders
    private let transfers: any TransferStore
    private let names: any NameStore
    private let accounts: any AccountStore
    /// Bytes of one read.
    private let piece: Int
    /// Progress is noted each time so many bytes have been read.
    private static let noteEach: Int64 = 256 << 20

    package init(
        files: any HomeFolders, transfers: any TransferStore, names: any NameStore,
        accounts: any AccountStore,
        piece: Int = 1 << 20
    ) {
        self.files = files
        self.transfers = transfers
        self.names = names
        self.accounts = accounts
        self.piece = piece
    }

    package func run(_ job: ClaimedJob, _ desk: any JobDesk) async -> JobEnd {
        guard let order = VerifyOrder(job.payload) else {
            return .failed(reason: "the payload must have “account” and “path”, and may have “sha256”")
        }
        do {
            let before = try await self.published(order)
            guard let found = try await self.digest(order, job, desk) else {
                return .givenBack(reason: desk.isDraining ? "the node drains" : "the claim was lost")
            }
            // Asked before the log: what is finished by then is in it.
            if order.digest == nil, try await self.isChanging(order) {
                return .postponed(for: .seconds(1), reason: "a change of \(order.path) is not in the log yet")
            }
            let after = try await self.published(order)
            switch VerifyVerdict.judge(found, asked: order.digest, before: before, after: after) {
            case .matches: return .done(note: "the digest is right: \(found)")
            case .unknown: return await self.judge(order, found, byOriginNot: nil, job)
            case .changed:
                return .retry(after: .seconds(1), reason: "the file was replaced while it was read")
            case .differs(let expected):
                return await self.judge(order, found, byOriginNot: expected, job)
            }
        } catch let error as StoreError {
            return self.again(error.description, job)
        } catch let error as VaultError {
            switch error {
            case .notFound, .notAFile, .notAFolder, .forbidden, .nameTooLong, .exists:
                return .failed(reason: error.description)
            case .full, .readOnly, .foreign, .hanging, .failed: return self.again(error.description, job)
            }
        } catch {
            return self.again("\(error)", job)
        }
    }

    /// It is not what was asked for, or not what was published here: then it may have been moved here since.
    ///
    /// - Parameter expected: nil when nothing was published here.
    private func judge(
        _ order: VerifyOrder, _ found: ClusterModel.Digest, byOriginNot expected: ClusterModel.Digest?,
        _ job: ClaimedJob
    ) async -> JobEnd {
        let asWas: JobEnd =
            if let expected {
                .failed(reason: "\(order.path) has the digest \(found), expected was \(expected)")
            } else {
                .done(note: "nothing says what the digest should be; it is \(found)")
            }
        guard order.digest == nil else { return asWas }
        do throws(StoreError) {
            switch try await FileOrigin.find(order.path, of: order.account, in: self.transfers) {
            case .here: return asWas
            case .elsewhere(let path, found): return .done(note: "the digest is right, of \(path): \(found)")
            case .elsewhere(let path, let other):
                return .failed(
                    reason: "\(order.path), which was \(path), has the digest \(found), expected was \(other)"
                )
            case .unknown:
                return .done(note: "changed since: nothing says what its digest should be; it is \(found)")
            }
        } catch {
            return self.again(error.description, job)
        }
    }

    private func again(_ reason: String, _ job: ClaimedJob) -> JobEnd {
        .retry(after: RetryPlan.pause(after: job.attempt, chance: .random(in: 0...1)), reason: reason)
    }

    /// Of the newest completed upload to the path.
    private func published(_ order: VerifyOrder) async throws(StoreError) -> ClusterModel.Digest? {
        guard order.digest == nil else { return nil }
        var query = TransferQuery()
        query.account = order.account
        query.path = order.path
        query.kind = .upload
        query.status = .completed
        query.sort = .ended
        query.limit = 1
        return try await self.transfers.transfers(query).first?.digest
    }

    /// The file or a folder above it is being published, moved or removed: what is visible may not be in the log yet.
    private func isChanging(_ order: VerifyOrder) async throws(StoreError) -> Bool {
        guard let account = try await self.accounts.account(named: order.account).value else { return false }
        var place: HomePath? = order.path
        while let path = place, !path.isHome {
            if try await self.names.unfinished(account: account.id, path: path) != nil { return true }
            place = path.parent
        }
        return false
    }

    /// Nil when it was told to stop.
    private func digest(
        _ order: VerifyOrder, _ job: ClaimedJob, _ desk: any JobDesk
    ) async throws(VaultError) -> ClusterModel.Digest? {
        let file = try await self.files.open(order.path, in: order.account)
        let result: Result<ClusterModel.Digest?, VaultError>
        do throws(VaultError) {
            result = .success(try await self.digest(of: file, job, desk))
        } catch { result = .failure(error) }
        await file.close()
        switch result {
        case .success(let digest): return digest
        case .failure(let error): throw error
        }
    }

    private func digest(
        of file: any OpenedFile, _ job: ClaimedJob, _ desk: any JobDesk
    ) async throws(VaultError) -> ClusterModel.Digest? {
        var hash = SHA256()
        var offset: Int64 = 0
        var noted: Int64 = 0
        while true {
            guard desk.isHeld(job.title), !desk.isDraining, !Task.isCancelled else { return nil }
            let bytes = try await file.read(from: offset, count: self.piece)
            guard bytes.readableBytes > 0 else { break }
            bytes.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
            offset += Int64(bytes.readableBytes)
            if offset - noted >= Self.noteEach {
                noted = offset
                let size = max(file.status.size, offset)
                _ = await desk.note(JobProgress(fraction: Double(offset) / Double(size)), of: job.title)
            }
        }
        return ClusterModel.Digest(Array(hash.finalize()))
    }
}
