import ClusterModel
import FileService
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Uploads in tus 1.0.
extension FilesResponder {
    /// Every answer says the version, refusals too.
    func answerTus(
        _ request: Request, to target: RequestTarget, context: DoorContext
    ) async throws -> Response {
        do {
            var response = try await self.performTus(request, to: target, context: context)
            response.headers[TusHeaders.resumable] = TusHeaders.version
            return response
        } catch let problem as Problem {
            throw problem.with(header: TusHeaders.resumable, TusHeaders.version)
        }
    }

    private func performTus(
        _ request: Request, to target: RequestTarget, context: DoorContext
    ) async throws -> Response {
        let asked = try TusRequest(method: request.method, target: target, headers: request.headers)
        let (caller, place) = try await self.admit(request, context, speaking: "tus")
        defer { withExtendedLifetime(place) {} }
        switch asked {
        case .create(let creation):
            return try await self.create(creation, request, by: caller, channel: context.channel)
        case .status(let id):
            let progress = try await self.asking { () async throws(UploadError) in
                try await self.uploads.status(id, by: caller)
            }
            if let ended = TusAnswer.ended(progress.upload) { throw TusProblems.problem(ended) }
            return Response(status: .ok, headers: TusAnswer.status(progress))
        case .append(let id, let piece):
            let progress = try await self.append(piece, to: id, request, by: caller, channel: context.channel)
            return Response(status: .noContent, headers: TusAnswer.progress(progress))
        case .abort(let id):
            try await self.asking { () async throws(UploadError) in
                try await self.uploads.abort(id, by: caller, reason: "its client ended it")
            }
            return Response(status: .noContent)
        }
    }

    private func create(
        _ creation: TusRequest.Creation, _ request: Request, by caller: Caller, channel: any Channel
    ) async throws -> Response {
        var wish = UploadRequest(path: creation.path, dialect: .tus, length: creation.length)
        wish.metadata = creation.metadata
        wish.makesParents = creation.makesParents
        wish.replaces = creation.replaces
        wish.parts = creation.parts
        let asked = wish
        var progress = try await self.asking { () async throws(UploadError) in
            try await self.uploads.create(asked, by: caller)
        }
        if let first = creation.first, progress.upload.status == .open {
            progress = try await self.receive(
                first, of: progress.upload.id, request, by: caller, channel: channel)
        }
        var headers = TusAnswer.progress(progress)
        headers[.location] = TusHeaders.location(progress.upload.id)
        return Response(status: .created, headers: headers)
    }

    /// Bytes that come with the creation.
    ///
    /// The client knows no address yet, so where they fail and the upload is worth going on with, it is told
    /// what is durable; otherwise the upload goes.
    private func receive(
        _ first: TusRequest.Piece, of id: UploadID, _ request: Request, by caller: Caller,
        channel: any Channel
    ) async throws -> UploadProgress {
        let outcome = ChecksumOutcome()
        do throws(UploadError) {
            return try await self.send(first, to: id, request, by: caller, channel, outcome)
        } catch {
            if !outcome.isDifferent, TusProblems.isPassing(error) {
                return try await self.asking { () async throws(UploadError) in
                    try await self.uploads.status(id, by: caller)
                }
            }
            // What cannot be ended now goes when it expires.
            try? await self.uploads.abort(id, by: caller, reason: "its first bytes were refused")
            throw outcome.isDifferent ? TusProblems.checksum : TusProblems.problem(error)
        }
    }

    private func append(
        _ piece: TusRequest.Piece, to id: UploadID, _ request: Request, by caller: Caller,
        channel: any Channel
    ) async throws -> UploadProgress {
        let outcome = ChecksumOutcome()
        do throws(UploadError) {
            return try await self.send(piece, to: id, request, by: caller, channel, outcome)
        } catch {
            throw outcome.isDifferent ? TusProblems.checksum : self.problem(error)
        }
    }

    private func send(
        _ piece: TusRequest.Piece, to id: UploadID, _ request: Request, by caller: Caller,
        _ channel: any Channel, _ outcome: ChecksumOutcome
    ) async throws(UploadError) -> UploadProgress {
        let credentials = Credentials(request.head)
        let body = UploadBody(
            body: request.body, length: piece.bodyLength, waiting: piece.waits ? channel : nil,
            atEnd: { try await self.checkAgain(credentials, caller.account) })
        var part = UploadPiece(offset: piece.offset)
        part.length = piece.length
        part.isAtomic = piece.checksum != nil
        return try await self.uploads.append(
            part, to: id, by: caller,
            body: CheckedBody(body: body, checksum: piece.checksum, outcome: outcome))
    }

    private func asking<Value>(
        _ call: () async throws(UploadError) -> Value
    ) async throws(Problem) -> Value {
        do { return try await call() } catch { throw self.problem(error) }
    }

    private func problem(_ error: UploadError) -> Problem {
        if case .file(.tooBusy) = error { self.gauge.refused(by: .work) }
        return TusProblems.problem(error)
    }
}
