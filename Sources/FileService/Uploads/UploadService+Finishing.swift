import ClusterModel
import ClusterPorts
import NIOCore

/// How a whole upload becomes a file.
extension UploadService {
    /// Takes what is whole and not visible yet, unless this node remembers it, and finishes it.
    func complete(
        _ upload: Upload, _ remembered: RememberedUpload?, by caller: Caller, _ right: NodeRight,
        _ left: inout RememberedUpload?
    ) async throws(UploadError) -> UploadProgress {
        left = nil
        let taken: RememberedUpload
        let file: any SegmentFile
        if let remembered, remembered.right == right, remembered.title.epoch == upload.epoch,
            remembered.durable == upload.durable,
            let open = try? await self.area.openSegment(remembered.file)
        {
            taken = remembered
            file = open
        } else {
            let anew = try await self.take(upload, by: caller, right)
            taken = anew.0
            file = anew.1
        }
        let answer: (RememberedUpload?, Result<UploadProgress, UploadError>)
        do throws(FileServiceError) {
            answer = try await self.files.shelter.perform {
                await self.finish(taken, file, by: caller, right)
            }
        } catch {
            file.close()
            throw .file(error)
        }
        left = answer.0
        return try answer.1.get()
    }

    /// Fills what the file lacks, decides and makes visible; the file is closed afterwards.
    ///
    /// To be called in the shelter.
    ///
    /// What fails before the decision leaves the upload open and whole: asking for its status tries again, with the same
    /// file where it is sound.
    func finish(
        _ remembered: RememberedUpload, _ file: any SegmentFile, by caller: Caller, _ right: NodeRight
    ) async -> (RememberedUpload?, Result<UploadProgress, UploadError>) {
        var left: RememberedUpload?
        do throws(UploadError) {
            let (row, segments) = try await self.own(remembered)
            guard let path = row.path else {
                file.close()
                return (remembered, .success(UploadProgress(upload: row)))
            }
            let outcome: Result<SealedFile, UploadError> = await self.working(
                on: remembered.title, right, sayingAfter: self.limits.workSaidAfter
            ) { sign in
                do throws(UploadError) {
                    return .success(try await self.sealed(remembered, file, segments, path, sign))
                } catch {
                    return .failure(error)
                }
            }
            let sealed = try outcome.get()
            file.close()
            try await self.check(sealed, of: row)
            let receipt: PutReceipt
            do throws(ChangeFailure) {
                receipt = try await self.publish(sealed, row, path, remembered.title, by: caller, right)
            } catch {
                // A decision may name this file, or come to: whoever goes on makes another one.
                left = error.isNamed ? nil : remembered
                throw .file(error.error)
            }
            await self.discard(segments.filter { $0.file != remembered.file.file })
            var upload = row
            upload.status = .decided
            upload.digest = sealed.digest
            return (nil, .success(UploadProgress(upload: upload, receipt: receipt)))
        } catch {
            file.close()
            return (left, .failure(error))
        }
    }

    /// The rows, if the title still is the newest.
    private func own(_ remembered: RememberedUpload) async throws(UploadError) -> (Upload, [UploadSegment]) {
        let found = try await self.asking { () async throws(StoreError) in
            try await self.store.upload(remembered.title.upload)
        }
        guard let (row, segments) = found else { throw .notFound }
        guard row.epoch == remembered.title.epoch, row.status == .open else { throw .taken }
        return (row, segments)
    }

    private func publish(
        _ sealed: SealedFile, _ upload: Upload, _ path: HomePath, _ title: UploadTitle, by caller: Caller,
        _ right: NodeRight
    ) async throws(ChangeFailure) -> PutReceipt {
        let operation = Operation(
            id: upload.id.rawValue, account: upload.account, accountName: upload.accountName,
            origin: TransferOrigin(
                node: right.name, protocol: upload.dialect.rawValue, client: caller.client,
                startedAt: upload.createdAt))
        var options = PutOptions()
        options.replaces = upload.replaces
        options.makesParents = upload.makesParents
        let before: FileStatus?
        do throws(FileServiceError) {
            before = try await self.files.place(path, in: upload.accountName, options: options)
        } catch {
            throw ChangeFailure(error)
        }
        let carried = try await self.files.decide(
            sealed, path, operation, options: options, right,
            by: self.files.changer.forUpload(self.names.names(finishing: title)))
        if let failure = carried.failure {
            throw ChangeFailure(FileService.error(for: failure, at: path, options))
        }
        let tag = await self.files.entityTag(
            of: sealed.staged.identity, as: carried.shown, at: path, in: operation.accountName)
        return PutReceipt(
            transfer: operation.id, path: path, size: sealed.size, digest: sealed.digest, entityTag: tag,
            created: before == nil)
    }

    /// An upload that is not what its client said it would be can never become a file.
    private func check(_ sealed: SealedFile, of upload: Upload) async throws(UploadError) {
        guard let expected = upload.expectedDigest, expected != sealed.digest else { return }
        try await self.abort(upload.id, reason: "its SHA-256 is \(sealed.digest), not \(expected)")
        throw .file(.digestMismatch(expected: expected, received: sealed.digest))
    }

    /// A whole file of all segments, durable, and its digest.
    private func sealed(
        _ remembered: RememberedUpload, _ file: any SegmentFile, _ segments: [UploadSegment],
        _ path: HomePath, _ sign: WorkSign
    ) async throws(UploadError) -> SealedFile {
        guard let missing = UploadRules.missing(before: remembered.begin, in: segments) else {
            throw .file(.failed("the segments of upload \(remembered.title.upload) have a gap"))
        }
        do throws(VaultError) {
            for (segment, range) in missing {
                try await file.copy(
                    range, from: StagedName(incarnation: segment.incarnation, file: segment.file),
                    to: range.lowerBound)
            }
            var digest = remembered.digest
            while digest.end < remembered.durable {
                if sign.isLost { throw .failed("another node has the upload by now") }
                let count = min(remembered.durable - digest.end, Int64(self.files.limits.readBytes))
                let bytes = try await file.read(from: digest.end, count: Int(count))
                guard bytes.readableBytes > 0 else {
                    throw .failed(
                        "staging \(file.name) ends at \(digest.end) instead of \(remembered.durable)")
                }
                digest.add(bytes, at: digest.end)
            }
            let staged = try await file.seal(size: remembered.durable)
            guard let value = digest.value else { throw .failed("SHA-256 has no 32 bytes") }
            return SealedFile(staged: staged, digest: value)
        } catch {
            throw .file(FileServiceError(error, at: path))
        }
    }
}
