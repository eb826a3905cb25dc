import ClusterModel
import ClusterPorts
import FileService
import HTTPDoor
import HTTPTypes
import NIOCore

/// Downloads of what lies in memory, by accounts that the process remembers.
extension FilesResponder: ReadyService {
    func readyAnswer(to request: HTTPRequest, target: RequestTarget, peer: String) -> ReadyAnswer? {
        guard target.components.first.map({ $0.elementsEqual("files".utf8) }) == true,
            case .read(let path, let conditions, let listing)? = try? FileRequest(
                method: request.method, target: target, headers: request.headerFields,
                authority: request.authority),
            // A digest has to be computed.
            !listing.isCertain, WantedDigests(request.headerFields).isEmpty,
            let account = self.readyAccount(request)
        else { return nil }
        let caller = Caller(
            account: account, client: self.client(request.headerFields, peer: peer), protocol: "http")
        guard let place = self.accounts.enter(account.name),
            let file = self.files.ready(path, by: caller)
        else { return nil }
        guard let (head, body) = self.ready(file, at: path, conditions) else {
            file.close()
            return nil
        }
        let download = file.begin(by: caller)
        let count = Int64(body.readableBytes)
        return ReadyAnswer(head: head, body: body) { isSent in
            download.endedNow(sent: isSent ? count : 0, failure: isSent ? nil : "the client went away")
            withExtendedLifetime(place) {}
        }
    }

    private func ready(
        _ file: ReadyFile, at path: HomePath, _ conditions: ReadConditions
    ) -> (HTTPResponse, ByteBuffer)? {
        let size = file.status.size
        guard let outcome = try? conditions.outcome(tag: file.status.entityTag, size: size) else {
            return nil
        }
        var head = HTTPResponse(status: .ok, headerFields: FileAnswer.headers(file.status, path: path))
        let bytes: Range<Int64>
        switch outcome {
        case .whole: bytes = 0..<size
        case .part(let part):
            bytes = part
            head.status = .partialContent
            head.headerFields[.contentRange] = MultipartRanges.contentRange(part, of: size)
        case .parts, .notModified: return nil
        }
        guard bytes.count <= ReadyAnswer.bytesMax, case .bytes(let body)? = file.piece(bytes) else {
            return nil
        }
        head.headerFields[.contentLength] = "\(bytes.count)"
        return (head, body)
    }

    private func readyAccount(_ request: HTTPRequest) -> Account? {
        switch Credentials(request) {
        case .password(let name, let password):
            self.gatekeeper.readyAccount(name: name, password: password)
        case .key(let key): self.gatekeeper.readyAccount(key: key)
        case .session, nil: nil
        }
    }
}

extension PageResponder: ReadyService {
    func readyAnswer(to request: HTTPRequest, target: RequestTarget, peer: String) -> ReadyAnswer? {
        self.files.readyAnswer(to: request, target: target, peer: peer)
    }
}
