import HTTPTypes
package import NIOCore
import NIOHTTPTypes

/// `100 Continue`: tells a client that waits with its body that the body is wanted.
package enum BodyInvitation {
    package static func send(on channel: any Channel) async throws {
        try await channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)))
    }
}
