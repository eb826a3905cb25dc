import ClusterModel
import ClusterPorts
import FileService
import Foundation
import HTTPDoor
import HTTPTypes
import Hummingbird

/// Resumable uploads of the whole cluster, and ending one.
extension AdminResponder {
    func answerUploads(
        _ route: UploadRoute, _ items: [RequestTarget.QueryItem], by asker: String
    ) async throws -> Response {
        if case .list = route { return try await self.listUploads(items) }
        try QueryReader(items).finish()
        switch route {
        case .list: preconditionFailure("\(route) was answered before")
        case .show(let text):
            let (upload, segments) = try await self.upload(text)
            return JSONText.response(.ok, ResumableStoryAnswer(upload, segments))
        case .abort(let text):
            let (upload, _) = try await self.upload(text)
            do throws(UploadError) {
                try await self.uploads.abort(upload.id, asOrdered: "ended by \(asker)")
            } catch {
                throw Self.problem(error, text)
            }
            let (now, segments) = try await self.upload(text)
            return JSONText.response(.ok, ResumableStoryAnswer(now, segments))
        }
    }

    private func listUploads(_ items: [RequestTarget.QueryItem]) async throws(Problem) -> Response {
        let (query, limit) = try UploadFilters.query(items)
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.uploadRows.uploads(query)
        }
        let page = PageAnswer(
            found, limit: limit, cursor: { UploadFilters.cursor(after: $0.0, query) },
            answer: { ResumableAnswer($0.0, $0.1) })
        return JSONText.response(.ok, page)
    }

    private func upload(_ text: String) async throws(Problem) -> (Upload, [UploadSegment]) {
        guard let id = UUID(uuidString: text) else { throw AdminProblems.unknown("upload", text) }
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.uploadRows.upload(UploadID(id))
        }
        guard let found else { throw AdminProblems.unknown("upload", text) }
        return found
    }

    private static func problem(_ error: UploadError, _ text: String) -> Problem {
        switch error {
        case .ended(let reason): Problem(.conflict, .uploadEnded, reason)
        case .file(.notServing(let reason, _)): AdminProblems.notServing(reason)
        case .notFound: AdminProblems.unknown("upload", text)
        case .wrongOffset, .wrongLength, .tooLong, .taken, .working, .composed, .unfit, .file:
            Problem(.internalServerError, .failed, "\(error)")
        }
    }
}
