import Glibc
package import NIOCore

/// Which addresses messages may go to.
///
/// Judged when a connection stands, by the address that it really has: a name may mean another address each time it is asked
/// for. The file names no receiver; only operators do, and this keeps their token from being one for the node itself.
package enum ReceiverReach: String, Hashable, Sendable, CaseIterable {
    /// Only what the whole world can reach.
    case internet
    /// Private networks too, as receivers in the same house have; not the machine itself, nor its link, where clouds
    /// keep the credentials of machines.
    case network
    /// Any: for a cluster on one machine, and for tests.
    case any

    package func allows(_ address: SocketAddress) -> Bool {
        switch address {
        case .v4(let four):
            return withUnsafeBytes(of: four.address.sin_addr) { self.allows(four: Array($0)) }
        case .v6(let six):
            return withUnsafeBytes(of: six.address.sin6_addr) { self.allows(six: Array($0)) }
        case .unixDomainSocket: return self == .any
        }
    }

    /// Where clouds keep the credentials of machines beside the link: among a carrier's addresses, and among public ones.
    private static let credentials: [[UInt8]] = [[100, 100, 100, 200], [168, 63, 129, 16]]
    /// The same among the private addresses of IPv6.
    private static let credentialsOfSix: [[UInt8]] = [
        [0xFD, 0, 0x0E, 0xC2] + Array(repeating: 0, count: 10) + [0x02, 0x54],
        [0xFD, 0x20, 0, 0xCE] + Array(repeating: 0, count: 10) + [0x02, 0x54],
    ]

    /// - Parameter four: bytes of an IPv4 address.
    func allows(four: [UInt8]) -> Bool {
        let (a, b) = (four[0], four[1])
        // This host, loopback, the link, and what is no single machine.
        let isHere =
            a == 0 || a == 127 || (a == 169 && b == 254) || a >= 224 || Self.credentials.contains(four)
        let isPrivate =
            a == 10 || (a == 172 && b & 0xF0 == 16) || (a == 192 && b == 168)
            // Between a carrier and its customers; for protocols; for measuring.
            || (a == 100 && b & 0xC0 == 64) || (a == 192 && b == 0 && four[2] == 0)
            || (a == 198 && b & 0xFE == 18)
        return self.allows(isHere: isHere, isPrivate: isPrivate)
    }

    /// - Parameter six: bytes of an IPv6 address.
    func allows(six: [UInt8]) -> Bool {
        if let embedded = Self.embedded(in: six) {
            // A translator reads one of them; nobody here knows which.
            return self == .any || !embedded.isEmpty && embedded.allSatisfy { self.allows(four: $0) }
        }
        // Unspecified and loopback, the link, groups, and the private addresses at which clouds keep credentials.
        let isHere =
            (six[..<15].allSatisfy { $0 == 0 } && six[15] <= 1) || (six[0] == 0xFE && six[1] & 0xC0 == 0x80)
            || six[0] == 0xFF || Self.credentialsOfSix.contains(six)
        let isPrivate = six[0] & 0xFE == 0xFC || (six[0] == 0xFE && six[1] & 0xC0 == 0xC0)
        return self.allows(isHere: isHere, isPrivate: isPrivate)
    }

    /// The IPv4 addresses that an IPv6 address may lead to; nil when it is none of those that embed one.
    private static func embedded(in six: [UInt8]) -> [[UInt8]]? {
        let isMapped = six[..<10].allSatisfy { $0 == 0 } && six[10] == 0xFF && six[11] == 0xFF
        let isTranslated = Array(six[..<12]) == [0, 0x64, 0xFF, 0x9B] + Array(repeating: 0, count: 8)
        if isMapped || isTranslated { return [Array(six[12...])] }
        // 6to4.
        if six[0] == 0x20 && six[1] == 0x02 { return [Array(six[2..<6])] }
        // 64:ff9b:1::/48 is for translators of one's own (RFC 8215), whose prefixes have 48, 56, 64 or 96 bits (RFC 6052);
        // a place that begins with 0 holds the rest of a longer prefix.
        guard Array(six[..<6]) == [0, 0x64, 0xFF, 0x9B, 0, 1] else { return nil }
        return [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]]
            .map { $0.map { six[$0] } }.filter { $0[0] != 0 }
    }

    private func allows(isHere: Bool, isPrivate: Bool) -> Bool {
        switch self {
        case .internet: !isHere && !isPrivate
        case .network: !isHere
        case .any: true
        }
    }
}

/// A connection led to an address that messages may not go to.
struct ReceiverOutOfReach: Error, CustomStringConvertible {
    let address: String
    let reach: ReceiverReach
    var description: String {
        "nothing is sent to \(self.address): this node's messages may go to \(self.reach.rawValue) (webhooks.reach)"
    }
}
