import ClusterModel
import ClusterPorts
import FileService
import FilesHTTP
import HTTPDoor
import HTTPTypes
import Testing

@Suite struct FileProblemsTests {
    private static let path = HomePath.home

    @Test(
        arguments: [
            (.notFound(path), 404, .notFound), (.parentMissing(path), 409, .parentMissing),
            (.isFolder(path), 409, .isFolder),
            (.notAFolder(path), 409, .notAFolder), (.notEmpty(path), 409, .notEmpty), (.isHome, 409, .isHome),
            (.intoItself(path), 409, .exists), (.forbiddenLink(path), 403, .forbiddenLink),
            (.changed(entityTag: nil), 412, .changed), (.changed(entityTag: "\"x\""), 412, .changed),
            (.nameTooLong(path), 400, .malformedPath),
            (.bodyTooShort(expected: 2, received: 1), 400, .bodyTooShort),
            (.bodyTooLong(expected: 2), 400, .bodyTooLong), (.clientGone("x"), 400, .bodyBroken),
            (.checksumMismatch(algorithm: "md5", expected: "a", received: "b"), 400, .digestMismatch),
            (.tooLarge(path, "x"), 409, .tooLarge), (.denied, 401, .unauthorized),
            (.busy(path, retryAfterSeconds: 2), 423, .busy),
            (.notServing(reason: "x", retryAfterSeconds: 2), 503, .notServing),
            (.tooBusy(retryAfterSeconds: 2), 503, .tooBusy), (.full, 507, .full), (.readOnly, 507, .readOnly),
            (.failed("x"), 500, .failed), (.exists(path), 409, .exists),
        ] as [(FileServiceError, Int, ProblemKind)])
    func `each error has its status and type`(error: FileServiceError, status: Int, kind: ProblemKind) {
        let problem = FileProblems.problem(error, while: .uploading)
        #expect(problem.status.code == status)
        #expect(problem.kind == kind)
        #expect((problem.retryAfter != nil) == [423, 429, 503].contains(status))
    }

    @Test(
        arguments: [
            (.full("x"), 507, .full), (.readOnly("x"), 507, .readOnly), (.foreign("x"), 503, .notServing),
            (.hanging("x"), 503, .notServing), (.failed("x"), 500, .failed),
            (.forbidden("x"), 403, .forbiddenLink),
            (.nameTooLong("x"), 400, .malformedPath),
        ] as [(VaultError, Int, ProblemKind)])
    func `what the mount answers has its status and type`(error: VaultError, status: Int, kind: ProblemKind) {
        let problem = FileProblems.problem(FileServiceError(error, at: Self.path), while: .uploading)
        #expect(problem.status.code == status)
        #expect(problem.kind == kind)
    }

    @Test func `what exists is answered as WebDAV does`() {
        #expect(FileProblems.problem(.exists(Self.path), while: .makingFolder).status.code == 405)
        #expect(FileProblems.problem(.exists(Self.path), while: .moving).status.code == 412)
        #expect(FileProblems.problem(.exists(Self.path), while: .copying).status.code == 412)
        #expect(FileProblems.problem(.notAFolder(Self.path), while: .reading).kind == .notFound)
    }

    @Test func `access that is denied asks for a password, and a busy check is worth a retry`() {
        let denied = FileProblems.problem(AccessError.denied)
        #expect(denied.status.code == 401)
        #expect(denied.headers[.wwwAuthenticate] == #"Basic realm="Flotilla", charset="UTF-8""#)
        let busy = FileProblems.problem(AccessError.tooBusy(retryAfterSeconds: 3))
        #expect(busy.status.code == 429 && busy.kind == .tooManyAttempts && busy.retryAfter == 3)
        #expect(
            FileProblems.problem(AccessError.notServing(reason: "x", retryAfterSeconds: 1)).kind
                == .notServing)
    }
}
