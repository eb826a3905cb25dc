import ClusterModel
import ClusterPorts
import FileService
import HTTPDoor
import HTTPTypes
import NIOCore

/// Downloads of what lies in memory, by accounts that the process remembers.
extension FilesResponder: ReadyService {
    func readyAnswer(
        to request: PlainRequest, target: RequestTarget, notes: inout ReadyNotes
    ) -> ReadyAnswer? {
        guard target.components.first.map({ $0.elementsEqual("files".utf8) }) == true,
            !target.endsWithSlash, let path = try? FileRequest.path(target),
            let account = self.readyAccount(request.authorization, &notes)
        else { return nil }
        let caller = Caller(
            account: account, client: self.client(forwardedFor: request.forwardedFor, peer: notes.peer),
            protocol: "http")
        guard let place = self.accounts.enter(account.name),
            let file = self.files.ready(path, by: caller)
        else { return nil }
        let size = file.status.size
        guard size <= ReadyAnswer.bytesMax, let body = file.piece(0..<size) else {
            file.close()
            return nil
        }
        var head = HTTPResponse(status: .ok, headerFields: FileAnswer.headers(file.status, path: path))
        head.headerFields[.contentLength] = "\(size)"
        let download = file.begin(by: caller)
        return ReadyAnswer(head: head, body: body) { isSent in
            // How much of it a client took that went away is not known; what is logged it took for certain.
            download.endedNow(sent: isSent ? size : 0, failure: isSent ? nil : "the client went away")
            withExtendedLifetime(place) {}
        }
    }

    private func readyAccount(_ shown: [UInt8]?, _ notes: inout ReadyNotes) -> Account? {
        guard let shown else { return nil }
        // A balancer sends many clients' requests on one connection: how long it takes to tell that these are others
        // must not tell how much of them is right.
        if let last = notes.credentials, ConstantTime.equal(last.shown, shown),
            let entry = last.found as? ReadyEntry, let account = self.gatekeeper.readyAccount(entry)
        {
            return account
        }
        let credentials = Credentials(authorization: String(decoding: shown, as: UTF8.self))
        let entry: ReadyEntry? =
            switch credentials {
            case .password(let name, let password): self.gatekeeper.readyEntry(name: name, password: password)
            case .key(let key): self.gatekeeper.readyEntry(key: key)
            case .session, nil: nil
            }
        guard let entry else { return nil }
        notes.credentials = (shown, entry)
        return entry.account
    }
}

extension PageResponder: ReadyService {
    func readyAnswer(
        to request: PlainRequest, target: RequestTarget, notes: inout ReadyNotes
    ) -> ReadyAnswer? {
        self.files.readyAnswer(to: request, target: target, notes: &notes)
    }
}
