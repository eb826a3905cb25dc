import ClusterModel
package import FileService
package import HTTPDoor
import HTTPTypes

/// What errors of uploads mean in tus 1.0, chosen by what its clients do next.
///
/// They try again after 409, 423 and any 5xx; any other 4xx makes them forget the upload and begin anew.
package enum TusProblems {
    package static let noUpload = Problem(
        .notFound, .notFound, "there is no such upload; it may have expired")

    package static func problem(_ error: UploadError) -> Problem {
        switch error {
        case .notFound: Self.noUpload
        case .ended(let reason): Problem(.gone, .uploadEnded, reason)
        case .wrongOffset(let durable):
            Problem(.conflict, .wrongOffset, "the upload goes on at byte \(durable)")
                .with("offset", "\(durable)").with(header: TusHeaders.offset, "\(durable)")
        case .wrongLength(let length):
            Problem(
                .badRequest, .invalidHeader,
                length.map { "the length was said to be \($0) before" }
                    ?? "the length is below what has come already"
            ).with("header", TusHeaders.length.canonicalName)
        case .tooLong(let length):
            Problem(.contentTooLarge, .bodyTooLong, "the upload has \(length) bytes, and more came")
        case .taken:
            Problem(Self.locked, .busy, "a newer request goes on with the upload").retrying(after: 1)
        case .working:
            Problem(Self.locked, .busy, "all is there, and a node makes the file of it").retrying(after: 2)
        case .composed: Self.composed
        case .unfit(let id, let fault): Self.unfit(id, fault)
        case .file(let error): FileProblems.problem(error, while: .uploading)
        }
    }

    package static let composed = Problem(
        .forbidden, .composedUpload, "the upload's bytes come from other uploads; nobody can add any")

    /// Why an upload cannot be a part of the one that is begun.
    private static func unfit(_ id: UploadID, _ fault: PartFault) -> Problem {
        let part = "the upload \(TusHeaders.location(id))"
        let problem =
            switch fault {
            case .unknown: Problem(.notFound, .notFound, "\(part) is not there; it may have expired")
            case .notPartial:
                Problem(
                    .badRequest, .invalidHeader,
                    "\(part) was not begun with “Upload-Concat: partial”"
                ).with("header", TusHeaders.concat.canonicalName)
            case .unfinished(let durable, let length):
                Problem(
                    .conflict, .unfinishedPart,
                    "\(part) is not whole: \(durable) of \(length.map { "\($0)" } ?? "?") bytes")
            case .ended(let reason): Problem(.gone, .uploadEnded, "\(part) has ended: \(reason)")
            case .given(let other):
                Problem(.gone, .uploadEnded, "\(part) is a part of \(TusHeaders.location(other)) already")
            }
        return problem.with("upload", TusHeaders.location(id))
    }

    /// The piece is as if it had never come.
    package static let checksum = Problem(
        HTTPResponse.Status(code: 460, reasonPhrase: "Checksum Mismatch"), .digestMismatch,
        "the body does not have the checksum that Upload-Checksum announces; nothing of it is kept")

    /// - Parameter asked: What the client speaks, if it said so.
    package static func version(_ asked: String?) -> Problem {
        Problem(
            .preconditionFailed, .unsupportedVersion,
            asked.map { "tus \($0) is not spoken here, but \(TusHeaders.version)" }
                ?? "the header Tus-Resumable is missing; \(TusHeaders.version) is spoken here"
        ).with(header: TusHeaders.versions, TusHeaders.version)
    }

    /// Whether an upload whose first bytes failed so is worth going on with.
    package static func isPassing(_ error: UploadError) -> Bool {
        switch error {
        case .notFound, .ended, .wrongOffset, .wrongLength, .tooLong, .composed, .unfit: false
        case .taken, .working: true
        case .file(.busy), .file(.notServing), .file(.tooBusy), .file(.full), .file(.clientGone),
            .file(.bodyTooShort), .file(.failed):
            true
        case .file: false
        }
    }

    private static let locked = HTTPResponse.Status(code: 423, reasonPhrase: "Locked")
}
