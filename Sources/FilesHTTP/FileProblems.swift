package import ClusterModel
package import FileService
package import HTTPDoor
import HTTPTypes

/// What the file service's errors mean in HTTP; docs/api/errors.md is the table.
package enum FileProblems {
    /// What the client was doing; one error can mean different things.
    package enum Doing: Sendable, Equatable {
        case reading, uploading, removing, makingFolder, moving, copying
    }

    package static func problem(_ error: FileServiceError, while doing: Doing) -> Problem {
        switch error {
        case .notFound(let path): Self.about(path, .notFound, .notFound, "nothing is at \(path)")
        case .parentMissing(let path):
            Self.about(path, .conflict, .parentMissing, "the folder \(path) does not exist")
        case .isFolder(let path): Self.about(path, .conflict, .isFolder, "\(path) is a folder")
        case .notAFolder(let path):
            // A path through a file names nothing; to a reader that is all there is to say.
            doing == .reading
                ? Self.about(path, .notFound, .notFound, "nothing is at \(path): a file stands in its way")
                : Self.about(path, .conflict, .notAFolder, "\(path), or something above it, is not a folder")
        case .exists(let path): Self.exists(path, while: doing)
        case .notEmpty(let path):
            Self.about(
                path, .conflict, .notEmpty, "\(path) is not empty; ?recursive=true removes all that is in it")
        case .isHome: Problem(.conflict, .isHome, "the home itself cannot be written, moved or removed")
        case .intoItself(let path):
            Self.about(path, .conflict, .exists, "\(path) cannot be moved or copied into itself")
        case .forbiddenLink(let path):
            Self.about(
                path, .forbidden, .forbiddenLink,
                "\(path) is a link or lies behind one; links are not followed")
        case .changed(let tag): Self.changed(tag: tag)
        case .nameTooLong(let path):
            Self.about(path, .badRequest, .malformedPath, "a name in \(path) is too long")
        case .denied: Self.problem(AccessError.denied)
        case .tooLarge(let path, let why):
            Self.about(path, .conflict, .tooLarge, "\(path) is too large for this: \(why)")
        case .bodyTooShort, .bodyTooLong, .digestMismatch, .checksumMismatch, .clientGone: Self.body(error)
        case .overQuota(let refusal): Self.overQuota(refusal)
        case .busy, .notServing, .tooBusy, .full, .readOnly, .failed: Self.surroundings(error)
        }
    }

    /// Sending the same again does not help, so it is none of the statuses that clients repeat.
    private static func overQuota(_ refusal: QuotaRefusal) -> Problem {
        let isBytes = refusal.isAboutBytes
        let what = isBytes ? "bytes" : "files"
        let limit = (isBytes ? refusal.quota.bytes : refusal.quota.files) ?? 0
        let used = isBytes ? refusal.use.bytes : refusal.use.files
        let needed = isBytes ? refusal.need.bytes : refusal.need.files
        return Problem(
            .contentTooLarge, .overQuota,
            "the account may have \(limit) \(what) and uses \(used); \(needed) more are needed"
        ).with("of", what).with("limit", "\(limit)").with("used", "\(used)").with("needed", "\(needed)")
    }

    private static func about(
        _ path: HomePath, _ status: HTTPResponse.Status, _ kind: ProblemKind, _ detail: String
    ) -> Problem {
        Problem(status, kind, detail).with("path", path.description)
    }

    /// WebDAV's answers for what is there already (RFC 4918, 9.3.1 and 9.9.4).
    private static func exists(_ path: HomePath, while doing: Doing) -> Problem {
        let detail = "something is at \(path) already"
        switch doing {
        case .makingFolder:
            return Self.about(path, .methodNotAllowed, .exists, detail).with(
                header: .allow, "GET, HEAD, DELETE, MOVE, COPY")
        case .moving, .copying: return Self.about(path, .preconditionFailed, .exists, detail)
        case .reading, .uploading, .removing: return Self.about(path, .conflict, .exists, detail)
        }
    }

    package static func changed(tag: String?) -> Problem {
        guard let tag else { return Problem(.preconditionFailed, .changed, "nothing is there") }
        return Problem(.preconditionFailed, .changed, "what is there has the entity tag \(tag)").with(
            header: .eTag, tag)
    }

    package static func malformed(_ fault: HomePath.Fault) -> Problem {
        Problem(.badRequest, .malformedPath, fault.description)
    }

    private static func body(_ error: FileServiceError) -> Problem {
        switch error {
        case .bodyTooShort(let expected, let received):
            Problem(.badRequest, .bodyTooShort, "the body ended after \(received) of \(expected) bytes")
        case .bodyTooLong(let expected):
            Problem(.badRequest, .bodyTooLong, "the body has more than \(expected) bytes")
        case .digestMismatch(let expected, let received):
            Problem(.badRequest, .digestMismatch, "the body's SHA-256 is \(received), not \(expected)")
                .with("sha256", received.description)
        case .checksumMismatch(let algorithm, let expected, let received):
            Problem(
                .badRequest, .digestMismatch, "the body's \(algorithm) is \(received), not \(expected)"
            ).with("algorithm", algorithm)
        case .clientGone(let reason): Problem(.badRequest, .bodyBroken, reason)
        default: preconditionFailure("\(error) does not concern a body")
        }
    }

    private static func surroundings(_ error: FileServiceError) -> Problem {
        switch error {
        case .busy(let path, let seconds):
            Self.about(
                path, Self.locked, .busy, "\(path) or a folder above it is being changed by another request"
            )
            .retrying(after: seconds)
        case .notServing(let reason, let seconds): Self.notServing(reason, retryAfter: seconds)
        case .tooBusy(let seconds):
            Problem(.serviceUnavailable, .tooBusy, "the node has as many requests of this kind as it takes")
                .retrying(after: seconds)
        case .full: Problem(Self.insufficientStorage, .full, "the mount has no space left")
        case .readOnly: Problem(Self.insufficientStorage, .readOnly, "the mount is mounted read-only")
        case .failed(let reason): Problem(.internalServerError, .failed, reason)
        default: preconditionFailure("\(error) does not concern the surroundings")
        }
    }

    package static func notServing(_ reason: String, retryAfter seconds: Int) -> Problem {
        Problem(.serviceUnavailable, .notServing, reason).retrying(after: seconds)
    }

    package static func accountBusy(_ account: AccountName, limit: Int) -> Problem {
        Problem(
            .serviceUnavailable, .accountBusy,
            "the account “\(account)” has \(limit) requests in hand at this node, which is its limit"
        ).retrying(after: 1).with("account", account.description)
    }

    private static let locked = HTTPResponse.Status(code: 423, reasonPhrase: "Locked")
    private static let insufficientStorage = HTTPResponse.Status(
        code: 507, reasonPhrase: "Insufficient Storage")

    package static func problem(_ error: AccessError) -> Problem {
        switch error {
        case .denied:
            Problem(.unauthorized, .unauthorized, "the account and password, or the key, are not valid")
                .with(header: .wwwAuthenticate, #"Basic realm="Flotilla", charset="UTF-8""#)
        case .notServing(let reason, let seconds): Self.notServing(reason, retryAfter: seconds)
        case .tooBusy(let seconds):
            Problem(.tooManyRequests, .tooManyAttempts, "the node checks as many passwords as it can")
                .retrying(after: seconds)
        }
    }
}
