import ClusterModel
import ClusterPorts

/// Uploads that are put together from partial ones (docs/UPLOADS.md).
extension UploadService {
    /// Begins one and puts it together; asking for the same again answers the same upload.
    func compose(
        _ request: UploadRequest, _ new: NewUpload, by caller: Caller, _ right: NodeRight
    ) async throws(UploadError) -> UploadProgress {
        let made = try await self.asking { () async throws(StoreError) in
            try await self.store.compose(new, by: right)
        }
        if let made { return try await self.composed(made, by: caller, right) }
        let there = try await self.earlier(request, by: caller)
        return try await self.status(there.id, by: caller)
    }

    /// Why none was made: it was made before, or some part does not fit.
    private func earlier(_ request: UploadRequest, by caller: Caller) async throws(UploadError) -> Upload {
        var parts: [Upload?] = []
        for id in request.parts {
            parts.append(
                try await self.asking { () async throws(StoreError) in try await self.store.upload(id)?.0 })
        }
        if let id = CompositionRules.earlier(parts),
            let found = try await self.asking({ () async throws(StoreError) in try await self.store.upload(id)
            }),
            CompositionRules.isSame(found.0, as: request, by: caller.account.id)
        {
            return found.0
        }
        for (id, part) in zip(request.parts, parts) {
            if let fault = CompositionRules.fault(of: part, by: caller.account.id) { throw .unfit(id, fault) }
        }
        // All fit by now, or this node has died.
        throw .file(Self.dead)
    }

    /// Puts an open one together unless a node does, and waits for it a while.
    func composed(
        _ upload: Upload, by caller: Caller, _ right: NodeRight
    ) async throws(UploadError) -> UploadProgress {
        guard !upload.isWorkedOn else { return UploadProgress(upload: upload) }
        let (answers, answer) = AsyncStream<Result<UploadProgress, UploadError>>.makeStream(
            bufferingPolicy: .bufferingNewest(1))
        do throws(FileServiceError) {
            try self.files.shelter.start {
                answer.yield(await self.composeNow(upload.id, by: caller, right))
                answer.finish()
            }
        } catch {
            throw .file(error)
        }
        switch await Self.first(of: answers, within: self.limits.composingPatience) {
        case .success(let progress): return progress
        // Another node took it at the same time, and does the same.
        case .failure(.taken), nil:
            let now = try await self.read(upload.id, by: caller)
            if now.status == .aborted { throw .ended(reason: now.reason ?? "it was aborted") }
            return UploadProgress(upload: now)
        case .failure(let error): throw error
        }
    }

    private static func first<Value: Sendable>(
        of stream: AsyncStream<Value>, within patience: Duration
    ) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask {
                for await value in stream { return value }
                return nil
            }
            group.addTask {
                try? await Task.sleep(for: patience)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    private func composeNow(
        _ id: UploadID, by caller: Caller, _ right: NodeRight
    ) async -> Result<UploadProgress, UploadError> {
        let (turn, _, _) = await self.memory.enter(id)
        defer { self.memory.leave(turn, remembering: nil) }
        do throws(UploadError) {
            let upload = try await self.read(id, by: caller)
            guard upload.status == .open, !upload.isWorkedOn else {
                return .success(UploadProgress(upload: upload))
            }
            let (taken, file) = try await self.take(upload, by: caller, right)
            let transfer = self.transfer(of: upload, by: caller, right)
            defer { transfer.vanish() }
            return await self.working(on: taken.title, right, sayingAfter: .zero) { sign in
                await sign.say()
                return await self.composeNow(taken, file, sign, transfer, by: caller, right)
            }
        } catch {
            return .failure(error)
        }
    }

    /// The file is closed afterwards.
    private func composeNow(
        _ taken: RememberedUpload, _ file: any SegmentFile, _ sign: WorkSign, _ transfer: OpenTransfer,
        by caller: Caller, _ right: NodeRight
    ) async -> Result<UploadProgress, UploadError> {
        var whole = taken
        do throws(UploadError) {
            if !taken.upload.isWhole {
                let length = try await self.fill(file, from: taken.upload, sign, transfer)
                let note = UploadNote(title: taken.title, durable: length)
                let answer = try await self.asking { () async throws(StoreError) in
                    try await self.noter.note(note, by: right)
                }
                guard answer == .noted else { throw .taken }
                whole.durable = length
                whole.upload.durable = length
            }
        } catch {
            file.close()
            return .failure(error)
        }
        let (_, result) = await self.finish(whole, file, by: caller, right)
        if case .success = result { await self.consumeParts(of: taken.upload.id) }
        return result
    }

    /// Copies the parts' bytes and makes them durable; answers how many.
    private func fill(
        _ file: any SegmentFile, from upload: Upload, _ sign: WorkSign, _ transfer: OpenTransfer
    ) async throws(UploadError) -> Int64 {
        let pieces = try await self.pieces(of: upload)
        for step in pieces.flatMap({ CompositionRules.steps(of: $0, by: self.limits.copiedBytes) }) {
            guard !sign.isLost else { throw .taken }
            guard !self.isEnding else {
                throw .file(.notServing(reason: "this node is stopping", retryAfterSeconds: 1))
            }
            do throws(VaultError) {
                try await file.copy(step.range, from: step.file, to: step.place)
            } catch {
                throw .file(FileServiceError(error, at: upload.path ?? .home))
            }
            transfer.add(Int64(step.range.count))
        }
        do throws(VaultError) { try await file.sync() } catch {
            throw .file(FileServiceError(error, at: upload.path ?? .home))
        }
        return upload.length ?? 0
    }

    /// Without one of its parts an upload can never become whole: it is aborted.
    private func pieces(of upload: Upload) async throws(UploadError) -> [CompositionRules.Piece] {
        var parts: [(Upload, [UploadSegment])] = []
        for id in upload.parts {
            let found = try await self.asking { () async throws(StoreError) in try await self.store.upload(id)
            }
            guard let found, found.0.status == .open, found.0.isWhole, found.0.partOf == upload.id else {
                let reason = "its part \(id) has ended"
                try await self.abort(upload.id, reason: reason)
                throw .ended(reason: reason)
            }
            parts.append(found)
        }
        guard let pieces = CompositionRules.pieces(of: parts) else {
            throw .file(.failed("the parts of upload \(upload.id) have a gap"))
        }
        return pieces
    }

    /// What cannot be done now is done when they expire.
    func consumeParts(of id: UploadID) async {
        guard let ended = try? await self.store.consumeParts(of: id) else { return }
        for part in ended {
            guard let segments = try? await self.store.upload(part)?.1 else { continue }
            await self.discard(segments)
        }
    }
}
