import Foundation

/// Decides in which folder the server's socket lies.
package enum SocketFolder {
    /// The longest path of a Unix socket on Linux, in bytes.
    static let addressBytesMax = 107

    /// `postgres/run` below the data when a socket's address can hold that, else a short folder named after
    /// the data's path.
    package static func choose(data: String, runtimeFolder: String?, user: UInt32) -> String {
        let name = "flotilla-\(user)-" + Self.hash(data)
        let candidates = [data + "/postgres/run", runtimeFolder.map { $0 + "/" + name }]
        return candidates.compactMap { $0 }.first(where: Self.fits) ?? "/tmp/" + name
    }

    /// Short enough, and without a character that libpq or the server would take for a separator or quote.
    package static func fits(_ folder: String) -> Bool {
        let plain = folder.utf8.allSatisfy { byte in
            switch UInt8(byte) {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "/._-+".utf8.contains(byte)
            }
        }
        return plain && folder.hasPrefix("/")
            && folder.utf8.count + "/.s.PGSQL.\(ServerSettings.port)".utf8.count <= Self.addressBytesMax
    }

    /// FNV-1a, 64 bits: it must be short and the same in every process, no more.
    static func hash(_ text: String) -> String {
        let value = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
