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

    /// - Parameter four: bytes of an IPv4 address.
    func allows(four: [UInt8]) -> Bool {
        let (a, b) = (four[0], four[1])
        // This host, loopback, the link, and what is no single machine.
        let isHere = a == 0 || a == 127 || (a == 169 && b == 254) || a >= 224
        let isPrivate =
            a == 10 || (a == 172 && b & 0xF0 == 16) || (a == 192 && b == 168)
            // Between a carrier and its customers; for protocols; for measuring.
            || (a == 100 && b & 0xC0 == 64) || (a == 192 && b == 0 && four[2] == 0)
            || (a == 198 && b & 0xFE == 18)
        return self.allows(isHere: isHere, isPrivate: isPrivate)
    }

    /// - Parameter six: bytes of an IPv6 address.
    func allows(six: [UInt8]) -> Bool {
        let isMapped = six[..<10].allSatisfy { $0 == 0 } && six[10] == 0xFF && six[11] == 0xFF
        let isTranslated = Array(six[..<12]) == [0, 0x64, 0xFF, 0x9B] + Array(repeating: 0, count: 8)
        if isMapped || isTranslated { return self.allows(four: Array(six[12...])) }
        // Unspecified and loopback, the link, groups, and the one private address at which a cloud keeps credentials.
        let isHere =
            (six[..<15].allSatisfy { $0 == 0 } && six[15] <= 1) || (six[0] == 0xFE && six[1] & 0xC0 == 0x80)
            || six[0] == 0xFF
            || six == [0xFD, 0, 0x0E, 0xC2] + Array(repeating: 0, count: 10) + [0x02, 0x54]
        let isPrivate = six[0] & 0xFE == 0xFC || (six[0] == 0xFE && six[1] & 0xC0 == 0xC0)
        return self.allows(isHere: isHere, isPrivate: isPrivate)
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
