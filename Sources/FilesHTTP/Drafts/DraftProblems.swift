import FileService
import HTTPDoor
import HTTPTypes

/// What errors of uploads mean in the draft, chosen by what its clients do next.
///
/// They ask for the offset and go on after any 5xx; a 4xx makes them give the upload up.
enum DraftProblems {
    private static let types = "https://iana.org/assignments/http-problem-types#"

    static func problem(_ error: UploadError, at provided: Int64?) -> Problem {
        switch error {
        case .wrongOffset(let durable):
            var problem = Problem(.conflict, .wrongOffset, "the upload goes on at byte \(durable)")
                .with("offset", "\(durable)").with(header: TusHeaders.offset, "\(durable)")
                .registered(Self.types + "mismatching-upload-offset", "Mismatching Upload Offset")
            problem.numbers["expected-offset"] = Int(durable)
            problem.numbers["provided-offset"] = provided.map { Int($0) }
            return problem
        case .wrongLength(let length):
            return Self.inconsistentLength(
                length.map { "the length was said to be \($0)" }
                    ?? "the length is below what has come already")
        case .tooLong(let length):
            return Self.inconsistentLength("the upload has \(length) bytes, and more came")
        case .taken, .working:
            return Problem(
                .serviceUnavailable, .busy,
                error == .taken
                    ? "a newer request goes on with the upload"
                    : "all is there, and a node makes the file of it"
            ).retrying(after: 1)
        case .file(.busy(let path, let seconds)):
            return Problem(
                .serviceUnavailable, .busy, "\(path) or a folder above it is being changed by another request"
            ).retrying(after: seconds)
        case .notFound, .ended, .composed, .unfit, .file: return TusProblems.problem(error)
        }
    }

    static func inconsistentLength(_ detail: String) -> Problem {
        Problem(.badRequest, .invalidHeader, detail).with("header", TusHeaders.length.canonicalName)
            .registered(Self.types + "inconsistent-upload-length", "Inconsistent Upload Length Values")
    }

    /// More is sent to an upload that is complete.
    static func completed(isEmpty: Bool) -> Problem {
        guard isEmpty else { return Self.inconsistentLength("the upload is complete, and more came") }
        return Problem(.badRequest, .uploadEnded, "the upload is complete already")
            .registered(Self.types + "completed-upload", "Upload Is Completed")
    }

    /// - Parameter asked: What the client speaks, if it said so.
    static func version(_ asked: String?) -> Problem {
        let spoken = DraftVersion.allCases.map(\.rawValue).joined(separator: " and ")
        return Problem(
            .badRequest, .unsupportedVersion,
            asked.map { "version \($0) of the draft is not spoken here, but \(spoken)" }
                ?? "the header \(DraftHeaders.version) is missing; \(spoken) are spoken here"
        ).with("header", DraftHeaders.version.canonicalName)
    }

    /// The piece is as if it had never come.
    static let checksum = Problem(
        .badRequest, .digestMismatch,
        "the body does not have the digest that Content-Digest announces; nothing of it is kept")
}
