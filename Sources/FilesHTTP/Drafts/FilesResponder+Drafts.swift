import ClusterModel
import FileService
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Uploads as the IETF draft has them.
extension FilesResponder {
    func answerDraft(
        _ request: Request, to target: RequestTarget, context: DoorContext
    ) async throws -> Response {
        let asked = try DraftRequest(method: request.method, target: target, headers: request.headers)
        let version = DraftHeaders.spoken(request.headers) ?? .eight
        let (caller, place) = try await self.admit(request, context, speaking: "draft")
        defer { withExtendedLifetime(place) {} }
        let interim = DraftInterim(version, on: context.channel)
        switch asked {
        case .create(let creation):
            return try await self.create(creation, request, by: caller, version, interim, context.channel)
        case .status(let id):
            let progress = try await self.asking(at: nil) { () async throws(UploadError) in
                try await self.uploads.status(id, by: caller)
            }
            return try Self.status(progress, version)
        case .append(let id, let piece):
            let progress = try await self.append(
                piece, to: id, request, by: caller, interim, context.channel)
            if progress.receipt == nil, progress.upload.status != .open {
                throw DraftProblems.completed(isEmpty: piece.bodyLength == 0)
                    .with(header: DraftHeaders.complete, DraftHeaders.truth(true))
            }
            return Self.answer(progress, .noContent, version)
        case .abort(let id):
            try await self.asking(at: nil) { () async throws(UploadError) in
                try await self.uploads.abort(id, by: caller, reason: "its client ended it")
            }
            return Response(status: .noContent)
        }
    }

    private func create(
        _ creation: DraftRequest.Creation, _ request: Request, by caller: Caller, _ version: DraftVersion,
        _ interim: DraftInterim, _ channel: any Channel
    ) async throws -> Response {
        var wish = UploadRequest(path: creation.path, dialect: .draft, length: nil)
        wish.announced = creation.first.length
        wish.expectedDigest = creation.digest
        wish.makesParents = creation.makesParents
        wish.replaces = creation.replaces
        let asked = wish
        var progress = try await self.asking(at: nil) { () async throws(UploadError) in
            try await self.uploads.create(asked, by: caller)
        }
        let location = TusHeaders.location(progress.upload.id)
        do {
            if creation.first.completes || creation.first.bodyLength != 0 {
                try await interim.begin(progress.upload)
                progress = try await self.append(
                    creation.first, to: progress.upload.id, request, by: caller, interim, channel)
            }
        } catch let problem as Problem {
            // It is there, and its client may not have read where.
            throw problem.with(header: .location, location)
        }
        var response = Self.answer(progress, .created, version)
        response.headers[.location] = location
        return response
    }

    private func append(
        _ piece: DraftRequest.Piece, to id: UploadID, _ request: Request, by caller: Caller,
        _ interim: DraftInterim, _ channel: any Channel
    ) async throws(Problem) -> UploadProgress {
        let outcome = ChecksumOutcome()
        let credentials = Credentials(request.head)
        let body = UploadBody(
            body: request.body, length: piece.bodyLength, waiting: piece.waits ? channel : nil,
            atEnd: { try await self.checkAgain(credentials, caller.account) })
        var part = UploadPiece(offset: piece.offset)
        part.length = piece.length
        part.completes = piece.completes
        part.isAtomic = piece.checksum != nil
        do throws(UploadError) {
            return try await self.uploads.append(
                part, to: id, by: caller,
                body: CheckedBody(body: body, checksum: piece.checksum, outcome: outcome),
                noted: { interim.noted($0) })
        } catch {
            guard !outcome.isDifferent else { throw DraftProblems.checksum }
            if case .tooLong = error {
                // The draft asks for that: what its client sends is not what it means.
                try? await self.uploads.abort(id, by: caller, reason: "more came than its length said")
            }
            throw self.problem(error, at: piece.offset)
        }
    }

    // MARK: - Answers

    /// After a request that changed it; what has become a file is answered as PUT would be.
    private static func answer(
        _ progress: UploadProgress, _ status: HTTPResponse.Status, _ version: DraftVersion
    ) -> Response {
        let upload = progress.upload
        var headers: HTTPFields = [
            TusHeaders.offset: "\(upload.durable)", .cacheControl: "no-store",
            DraftHeaders.complete: DraftHeaders.truth(progress.receipt != nil || upload.isWhole),
        ]
        guard let receipt = progress.receipt else {
            headers[DraftHeaders.limit] = DraftHeaders.limit(upload, version)
            return Response(status: status, headers: headers)
        }
        headers[.eTag] = receipt.entityTag
        headers[FileHeaders.reprDigest] = FileHeaders.reprDigest(receipt.digest)
        return JSONText.response(receipt.created ? .created : .ok, UploadAnswer(receipt), headers: headers)
    }

    /// To whoever asks.
    private static func status(
        _ progress: UploadProgress, _ version: DraftVersion
    ) throws(Problem) -> Response {
        let upload = progress.upload
        if let ended = TusAnswer.ended(upload) { throw DraftProblems.problem(ended, at: nil) }
        // How far the putting together is, is nothing to go on with.
        if upload.isComposed, upload.status == .open { throw DraftProblems.problem(.working, at: nil) }
        let isComplete = progress.receipt != nil || upload.isWhole
        var headers: HTTPFields = [
            TusHeaders.offset: "\(upload.durable)", .cacheControl: "no-store",
            DraftHeaders.complete: DraftHeaders.truth(isComplete),
            DraftHeaders.limit: DraftHeaders.limit(upload, version),
        ]
        if let length = upload.length ?? upload.announced { headers[TusHeaders.length] = "\(length)" }
        if let receipt = progress.receipt { headers[.eTag] = receipt.entityTag }
        return Response(status: .noContent, headers: headers)
    }

    private func asking<Value>(
        at offset: Int64?, _ call: () async throws(UploadError) -> Value
    ) async throws(Problem) -> Value {
        do { return try await call() } catch { throw self.problem(error, at: offset) }
    }

    private func problem(_ error: UploadError, at offset: Int64?) -> Problem {
        if case .file(.tooBusy) = error { self.gauge.refused(by: .work) }
        return DraftProblems.problem(error, at: offset)
    }
}
