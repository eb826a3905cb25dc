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
        case .file(let error): FileProblems.problem(error, while: .uploading)
        }
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
        case .notFound, .ended, .wrongOffset, .wrongLength, .tooLong: false
        case .taken: true
        case .file(.busy), .file(.notServing), .file(.tooBusy), .file(.full), .file(.clientGone),
            .file(.bodyTooShort), .file(.failed):
            true
        case .file: false
        }
    }

    private static let locked = HTTPResponse.Status(code: 423, reasonPhrase: "Locked")
}
