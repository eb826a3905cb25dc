import ClusterModel
import ClusterPorts
import Logging

import struct Foundation.Date
import struct Foundation.UUID

/// How a request gets the right to write, and gives it up.
extension UploadService {
    struct OpenSession {
        var value: UploadSession
        var file: any SegmentFile
    }

    /// Goes on with what this node remembers, or takes the upload; nil when nothing more is to come.
    func session(
        _ piece: UploadPiece, _ id: UploadID, _ remembered: RememberedUpload?, by caller: Caller,
        _ right: NodeRight, _ noted: @escaping @Sendable (Int64) -> Void
    ) async throws(UploadError) -> OpenSession? {
        if var remembered, remembered.right == right, remembered.durable == piece.offset,
            remembered.upload.account == caller.account.id
        {
            remembered.upload.durable = remembered.durable
            if let objection = UploadRules.objection(to: piece, of: remembered.upload, by: caller.account.id)
            {
                throw objection
            }
            if let file = await self.reopened(remembered) {
                return self.open(remembered, file, piece, by: caller, noted)
            }
        }
        let found = try await self.asking { () async throws(StoreError) in try await self.store.upload(id) }
        guard let (upload, _) = found else { throw .notFound }
        if let objection = UploadRules.objection(to: piece, of: upload, by: caller.account.id) {
            throw objection
        }
        guard upload.status == .open else { return nil }
        let (taken, file) = try await self.take(upload, by: caller, right)
        return self.open(taken, file, piece, by: caller, noted)
    }

    private func open(
        _ remembered: RememberedUpload, _ file: any SegmentFile, _ piece: UploadPiece, by caller: Caller,
        _ noted: @escaping @Sendable (Int64) -> Void
    ) -> OpenSession {
        OpenSession(
            value: UploadSession(
                remembered, file: file, piece: piece, limits: self.limits, noter: self.noter,
                budget: self.gathering,
                transfer: self.transfer(of: remembered.upload, by: caller, remembered.right), noted: noted),
            file: file)
    }

    /// How a request is listed while it runs: under an id of its own, since the upload's is for its end.
    func transfer(of upload: Upload, by caller: Caller, _ right: NodeRight) -> OpenTransfer {
        self.files.log.begin(
            TransferRecord(
                id: .next(), kind: .upload, status: .running, account: upload.accountName,
                path: upload.path ?? .home, size: 0, digest: nil,
                origin: TransferOrigin(
                    node: right.name, protocol: caller.protocol, client: caller.client, startedAt: Date()),
                incarnation: right.incarnation, endedAt: nil),
            of: upload.id)
    }

    /// Nil: it is to be taken anew.
    private func reopened(_ remembered: RememberedUpload) async -> (any SegmentFile)? {
        do throws(VaultError) { return try await self.area.openSegment(remembered.file) } catch {
            self.logger.warning(
                "a segment could not be opened again",
                metadata: ["staged": "\(remembered.file)", "reason": "\(error.description)"])
            return nil
        }
    }

    /// A new epoch with a file of its own, at the durable offset.
    func take(
        _ upload: Upload, by caller: Caller, _ right: NodeRight
    ) async throws(UploadError) -> (RememberedUpload, any SegmentFile) {
        let file: any SegmentFile
        do throws(VaultError) {
            file = try await self.area.makeSegment(upload.id, for: right.incarnation)
        } catch {
            throw .file(FileServiceError(error, at: upload.path ?? .home))
        }
        let taking = UploadTaking(
            upload: upload.id, offset: upload.durable, file: file.name, node: right.name,
            client: caller.client)
        do throws(UploadError) {
            var taken = try await self.take(taking, by: right)
            guard let epoch = taken.epoch else { throw .taken }
            taken.metadata = ""
            let remembered = RememberedUpload(
                right: right, title: UploadTitle(upload: upload.id, epoch: epoch), file: file.name,
                begin: taking.offset, durable: taking.offset, upload: taken)
            return (remembered, file)
        } catch {
            file.close()
            throw error
        }
    }

    private func take(_ taking: UploadTaking, by right: NodeRight) async throws(UploadError) -> Upload {
        let answer: UploadAnswer
        do throws(StoreError) {
            answer = try await self.store.take(taking, by: right)
        } catch {
            // Only when it surely was not done is the file nobody's.
            guard case .mayHaveRun = error else {
                await self.files.discard(taking.file)
                throw .file(FileServiceError(error))
            }
            return try await self.outcome(of: taking, error)
        }
        switch answer {
        case .done(let upload): return upload
        case .refused(let there):
            await self.files.discard(taking.file)
            switch there.status {
            case .open: throw .wrongOffset(durable: there.durable)
            // It became a file meanwhile: whoever asks again hears that.
            case .decided: throw .taken
            case .finished where there.reason == nil: throw .taken
            case .finished, .aborted: throw .ended(reason: there.reason ?? "it is over")
            }
        case .notFound:
            await self.files.discard(taking.file)
            throw .notFound
        case .fenced:
            // Whoever clears this node's departure removes the file.
            throw .file(Self.dead)
        }
    }

    /// After a lost reply (R2): ours if the newest segment names our file.
    ///
    /// A file of which that is not known stays; it is
    /// removed with the upload's others, or with what this node leaves behind.
    private func outcome(of taking: UploadTaking, _ error: StoreError) async throws(UploadError) -> Upload {
        let found = try await self.asking { () async throws(StoreError) in
            try await self.store.upload(taking.upload)
        }
        guard let (upload, segments) = found, let last = segments.last, last.file == taking.file.file,
            upload.epoch == last.epoch
        else { throw .file(FileServiceError(error)) }
        return upload
    }

    /// What follows the last byte of a request, whatever becomes of its client.
    func ended(
        _ session: UploadSession, _ file: any SegmentFile, by caller: Caller, _ right: NodeRight,
        _ left: inout RememberedUpload?
    ) async throws(UploadError) -> UploadProgress {
        let answer: (RememberedUpload?, Result<UploadProgress, UploadError>)
        do throws(FileServiceError) {
            answer = try await self.files.shelter.perform {
                await self.settled(session, file, by: caller, right)
            }
        } catch {
            file.close()
            throw .file(error)
        }
        left = answer.0
        return try answer.1.get()
    }

    private func settled(
        _ session: UploadSession, _ file: any SegmentFile, by caller: Caller, _ right: NodeRight
    ) async -> (RememberedUpload?, Result<UploadProgress, UploadError>) {
        let left = await session.settle()
        let ending = session.ending
        if let left, left.upload.isWhole, ending?.keepsWhole ?? true {
            return await self.finish(left, file, by: caller, right)
        }
        file.close()
        switch ending {
        case nil:
            guard let left else { return (nil, .failure(.taken)) }
            if let bound = session.missing { return (left, .failure(.wrongLength(bound))) }
            return (left, .success(UploadProgress(upload: left.upload)))
        case .calledOff, .lost: return (left, .failure(.taken))
        case .clientGone(let reason): return (left, .failure(.file(.clientGone(reason))))
        case .failed(let error), .refused(let error): return (left, .failure(.file(error)))
        case .tooLong(let length): return (left, .failure(.tooLong(length: length)))
        }
    }
}
