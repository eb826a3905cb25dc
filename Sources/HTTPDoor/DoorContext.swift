package import Hummingbird
package import NIOCore

/// What a door knows of a request besides the request.
package struct DoorContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    package let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.channel = source.channel
    }

    /// The address of the other end, without port; a balancer's where there is one.
    package var peer: String { Self.peer(of: self.channel) }

    static func peer(of channel: any Channel) -> String {
        let address = channel.remoteAddress
        return switch address {
        case .v4, .v6: address?.ipAddress ?? "unknown"
        case .unixDomainSocket: "local"
        case nil: "unknown"
        }
    }
}

/// Whom a request comes from, where proxies stand in between.
package enum ForwardedClient {
    /// The last address in `X-Forwarded-For` that is not a trusted proxy's; the peer when the peer is not
    /// trusted.
    ///
    /// - Parameter trusted: Addresses of proxies; `*` trusts every peer.
    package static func address(peer: String, forwardedFor: String?, trusted: Set<String>) -> String {
        func isTrusted(_ address: String) -> Bool { trusted.contains(address) || trusted.contains("*") }
        guard isTrusted(peer), let forwardedFor else { return peer }
        let hops = forwardedFor.split(separator: ",").map { Self.trimmed($0) }.filter { Self.isAddress($0) }
        // With `*`, the nearest hop is the one that the only proxy saw.
        return hops.last { !trusted.contains($0) } ?? hops.first ?? peer
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    private static func isAddress(_ text: String) -> Bool {
        (try? SocketAddress(ipAddress: text, port: 0)) != nil
    }
}
