import AdminHTTP
import AsyncHTTPClient
import ClusterModel
import Foundation
import HTTPDoor
import Logging
import NIOCore
import NIOHTTP1

/// Asks other nodes' admin doors, each for two seconds at most.
struct PeerSessions: SessionPeers {
    let logger: Logger

    private static let patience: TimeAmount = .seconds(2)
    /// A node tells of at most 5,000 transfers, mostly in less than half a KiB each; paths of 4 KiB fit too.
    private static let longestAnswer = 32 << 20

    func sessions(of member: Member, authorization: String) async -> NodeSessionsAnswer? {
        let host = member.addresses.host
        let place = host.contains(":") ? "[\(host)]" : host
        var request = HTTPClientRequest(
            url: "http://\(place):\(member.addresses.adminPort)/api/v1/sessions/here")
        request.headers.add(name: "authorization", value: authorization)
        do {
            let deadline = NIODeadline.now() + Self.patience
            let response = try await HTTPClient.shared.execute(request, deadline: deadline)
            guard response.status == .ok else {
                self.logger.warning(
                    "a node did not tell its sessions",
                    metadata: ["member.name": "\(member.name)", "http.status": "\(response.status.code)"])
                return nil
            }
            let bytes = try await response.body.collect(upTo: Self.longestAnswer)
            return try JSONText.value(NodeSessionsAnswer.self, from: Data(bytes.readableBytesView))
        } catch {
            self.logger.debug(
                "a node did not tell its sessions",
                metadata: ["member.name": "\(member.name)", "reason": "\(error)"])
            return nil
        }
    }
}
