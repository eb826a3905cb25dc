import ClusterModel
import FileService
import Foundation
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Answers the page and its sessions; hands everything else to whoever answers `/files/…` and `/uploads/…`.
struct PageResponder: DoorService {
    let files: FilesResponder

    func answer(
        _ request: Request, to target: RequestTarget, context: DoorContext
    ) async throws -> Response {
        do {
            guard let asked = try PageRequest(request.method, target, request.headers) else {
                return try await self.files.answer(request, to: target, context: context)
            }
            return try await self.perform(asked, request, context)
        } catch let problem as Problem {
            throw PageHeaders.speak(request.headers) ? PageHeaders.quiet(problem) : problem
        }
    }

    private func perform(
        _ asked: PageRequest, _ request: Request, _ context: DoorContext
    ) async throws -> Response {
        switch asked {
        case .moved:
            return Response(
                status: .found, headers: [.location: PageRequest.home, .cacheControl: "no-store"])
        case .options(let allowed):
            return Response(status: .noContent, headers: [.allow: allowed])
        case .document(let ifNoneMatch):
            let page = PageAssets.document
            guard ifNoneMatch?.matchWeakly(page.entityTag) != true else {
                return Response(status: .notModified, headers: FileAnswer.notModified(page.headers))
            }
            return Response(
                status: .ok, headers: page.headers,
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: page.bytes)))
        case .whoAmI:
            let (caller, place) = try await self.files.admit(request, context, speaking: "http")
            defer { withExtendedLifetime(place) {} }
            return JSONText.response(
                .ok, SessionAnswer(account: caller.account.name.description, session: self.session(request)))
        case .signIn:
            return try await self.signIn(request, context)
        case .signOut:
            return Response(
                status: .noContent,
                headers: [.setCookie: SessionCookie.ended(request.headers), .cacheControl: "no-store"])
        }
    }

    private func session(_ request: Request) -> Session? {
        guard case .session(let text) = Credentials(request.head) else { return nil }
        return SessionSeal.read(text)
    }

    /// Only a password begins a session: with a cookie one could go on for ever, and whoever has a key needs none.
    private func signIn(_ request: Request, _ context: DoorContext) async throws -> Response {
        guard case .password = Credentials(request.head) else {
            throw FileProblems.problem(AccessError.denied)
        }
        let (caller, place) = try await self.files.admit(request, context, speaking: "http")
        defer { withExtendedLifetime(place) {} }
        let session: Session
        do throws(AccessError) {
            session = try self.files.gatekeeper.beginSession(of: caller.account)
        } catch { throw FileProblems.problem(error) }
        return JSONText.response(
            .created, SessionAnswer(account: session.account.description, session: session),
            headers: [.setCookie: SessionCookie.begun(session, request.headers)])
    }
}

/// Who is signed in, and until when.
struct SessionAnswer: Sendable, Equatable, Codable {
    var account: String
    /// Nil for credentials that are no session.
    var expiresAt: Date?

    init(account: String, session: Session?) {
        self.account = account
        self.expiresAt = session?.expiresAt
    }
}
