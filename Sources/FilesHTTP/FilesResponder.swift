import ClusterModel
import ClusterPorts
import FileService
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Answers `/files/…` and `/uploads/…`: finds out who asks, then hands over to the file service.
struct FilesResponder: DoorService {
    let files: FileService
    let uploads: UploadService
    let gatekeeper: Gatekeeper
    let gauge: RequestGauge
    let accounts: AccountGauge
    let trustedProxies: Set<String>
    let dropped: DroppedDownloads

    func answer(
        _ request: Request, to target: RequestTarget, context: DoorContext
    ) async throws -> Response {
        if request.method == .options && request.head.path == "*" { return Self.options() }
        if DraftRequest.isMeant(method: request.method, target: target, headers: request.headers) {
            return try await self.answerDraft(request, to: target, context: context)
        }
        if TusRequest.isMeant(method: request.method, target: target, headers: request.headers) {
            guard request.method != .options else { return Self.options(TusHeaders.allowed) }
            return try await self.answerTus(request, to: target, context: context)
        }
        guard target.components.first.map({ $0.elementsEqual("files".utf8) }) == true else {
            throw Problem.noRoute(request.head.path ?? "")
        }
        let asked = try FileRequest(
            method: request.method, target: target, headers: request.headers,
            authority: request.head.authority)
        if asked == .options { return Self.options() }
        let (caller, place) = try await self.admit(request, context, speaking: "http")
        // An answer whose body is still to be sent keeps it longer.
        defer { withExtendedLifetime(place) {} }
        return try await self.perform(asked, request, by: caller, at: place, context: context)
    }

    func client(_ headers: HTTPFields, peer: String) -> String {
        self.client(forwardedFor: headers[FileHeaders.forwardedFor], peer: peer)
    }

    func client(forwardedFor: String?, peer: String) -> String {
        ForwardedClient.address(peer: peer, forwardedFor: forwardedFor, trusted: self.trustedProxies)
    }

    /// Finds out who asks, and counts the request among its account's until the place is let go.
    ///
    /// - Parameter language: What the transfer log shows as the protocol.
    func admit(
        _ request: Request, _ context: DoorContext, speaking language: String
    ) async throws(Problem) -> (Caller, AccountPlace) {
        let client = self.client(request.headers, peer: context.peer)
        let caller = Caller(
            account: try await self.account(request.head, client: client), client: client,
            protocol: language)
        guard let place = self.accounts.enter(caller.account.name) else {
            self.gauge.refused(by: .account)
            throw FileProblems.accountBusy(caller.account.name, limit: self.accounts.limit ?? 0)
        }
        return (caller, place)
    }

    /// Below `/files/` POST begins uploads, so it is named there, although it needs tus.
    private static func options(_ allowed: String = FileRequest.allowed + ", POST") -> Response {
        var headers = TusHeaders.capabilities
        headers[.allow] = allowed
        headers[DraftHeaders.acceptPatch] = "\(DraftHeaders.contentType), \(TusHeaders.contentType)"
        headers[DraftHeaders.limit] = DraftHeaders.lifetime
        headers[.acceptRanges] = "bytes"
        return Response(status: .noContent, headers: headers)
    }

    private func account(_ request: HTTPRequest, client: String) async throws(Problem) -> Account {
        do throws(AccessError) {
            switch Credentials(request) {
            case .password(let name, let password):
                return try await self.gatekeeper.account(
                    name: name, password: password, client: client)
            case .key(let key): return try await self.gatekeeper.account(key: key)
            case .session(let text): return try await self.gatekeeper.account(session: text)
            case nil: throw AccessError.denied
            }
        } catch { throw FileProblems.problem(error) }
    }

    /// A body can take hours: whoever was shut out meanwhile gets nothing acknowledged any more.
    func checkAgain(_ credentials: Credentials?, _ account: Account) async throws(FileServiceError) {
        do throws(AccessError) {
            switch credentials {
            // A session that ends in the middle of a body does not end the body.
            case .password, .session: try await self.gatekeeper.checkAgain(account)
            case .key(let key): _ = try await self.gatekeeper.account(key: key)
            case nil: throw AccessError.denied
            }
        } catch {
            switch error {
            case .denied: throw .denied
            case .notServing(let reason, let seconds):
                throw .notServing(reason: reason, retryAfterSeconds: seconds)
            case .tooBusy(let seconds): throw .tooBusy(retryAfterSeconds: seconds)
            }
        }
    }

    private func perform(
        _ asked: FileRequest, _ request: Request, by caller: Caller, at place: AccountPlace,
        context: DoorContext
    ) async throws -> Response {
        switch asked {
        case .options: return Self.options()
        case .read(let path, let conditions, let listing):
            return try await self.doing(.reading) {
                try await self.read(
                    path, conditions, listing, by: caller, isHead: request.method == .head,
                    to: Recipient(place: place, channel: context.channel))
            }
        case .upload(let upload):
            return try await self.doing(.uploading) {
                try await self.receive(upload, request, by: caller, channel: context.channel)
            }
        case .remove(let path, let recursive, let ifMatch, let mustBeFolder):
            return try await self.doing(.removing) {
                let receipt = try await self.files.remove(
                    path, by: caller, recursive: recursive, ifMatch: ifMatch, mustBeFolder: mustBeFolder)
                return Response(status: .noContent, headers: [FileHeaders.transfer: receipt.transfer.text])
            }
        case .removeMany(let folder, let waits):
            return try await self.removeMany(
                below: folder, waits: waits, request, by: caller, channel: context.channel)
        case .makeFolder(let path, let parents):
            return try await self.doing(.makingFolder) {
                let receipt = try await self.files.makeFolder(path, by: caller, parents: parents)
                return JSONText.response(.created, OperationAnswer(receipt))
            }
        case .move(let path, let target, let ifMatch, let mustBeFolder):
            return try await self.doing(.moving) {
                let receipt = try await self.files.move(
                    path, to: target, by: caller, ifMatch: ifMatch, mustBeFolder: mustBeFolder)
                return JSONText.response(.created, OperationAnswer(receipt))
            }
        case .copy(let path, let target, let options):
            return try await self.doing(.copying) {
                let receipt = try await self.files.copy(path, to: target, by: caller, options: options)
                var headers: HTTPFields = [:]
                headers[.eTag] = receipt.entityTag
                return JSONText.response(
                    receipt.created ? .created : .ok, CopyAnswer(receipt), headers: headers)
            }
        }
    }

    private func doing(
        _ doing: FileProblems.Doing, _ work: () async throws -> Response
    ) async throws -> Response {
        do {
            return try await work()
        } catch let error as FileServiceError {
            if case .tooBusy = error { self.gauge.refused(by: .work) }
            throw FileProblems.problem(error, while: doing)
        }
    }
}
