package import NIOCore

/// A request of the kind that programs which fetch files send all day: a GET that wants nothing special.
///
/// It is one whole head and nothing else. Whoever reads it may do so before the HTTP parser, and so it is narrow:
/// every field has a name of a known list and a value in printable ASCII, no field that counts comes twice, there is neither
/// body nor query, condition nor range. What is not of this kind is no error; the parser looks at it.
package struct PlainRequest: Sendable, Equatable {
    /// The path as it was sent; it begins with a slash.
    package var path: ArraySlice<UInt8>
    package var authorization: [UInt8]?
    package var forwardedFor: String?

    /// Longer heads are left to the parser, in bytes.
    package static let bytesMax = 4_096

    /// Nil when the bytes are not exactly one such request.
    package init?(_ bytes: ByteBuffer) {
        guard bytes.readableBytes <= Self.bytesMax else { return nil }
        var reader = Reader(bytes: Array(bytes.readableBytesView))
        guard reader.skip("GET "), let path = reader.path(), reader.skip(" HTTP/1.1\r\n") else { return nil }
        self.path = path
        var hasHost = false
        while !reader.skip("\r\n") {
            guard let (name, value) = reader.field(), let field = Field(name) else { return nil }
            switch field {
            case .host:
                guard !hasHost, !value.isEmpty else { return nil }
                hasHost = true
            case .authorization:
                guard self.authorization == nil else { return nil }
                self.authorization = Array(value)
            case .forwardedFor:
                guard self.forwardedFor == nil else { return nil }
                self.forwardedFor = String(decoding: value, as: UTF8.self)
            case .connection:
                guard Text.equal(value, "keep-alive") else { return nil }
            case .unread: break
            }
        }
        guard hasHost, reader.isAtEnd else { return nil }
    }

    private enum Field {
        case host, authorization, forwardedFor, connection
        /// Says nothing that the answer depends on.
        case unread

        init?(_ name: ArraySlice<UInt8>) {
            // By length first: most names are told apart by it.
            switch name.count {
            case 4 where Text.equal(name, "host"): self = .host
            case 6 where Text.equal(name, "accept") || Text.equal(name, "pragma"): self = .unread
            case 10 where Text.equal(name, "user-agent"): self = .unread
            case 10 where Text.equal(name, "connection"): self = .connection
            case 13 where Text.equal(name, "authorization"): self = .authorization
            case 13 where Text.equal(name, "cache-control"): self = .unread
            case 15 where Text.equal(name, "accept-encoding") || Text.equal(name, "accept-language"):
                self = .unread
            case 15 where Text.equal(name, "x-forwarded-for"): self = .forwardedFor
            case 17 where Text.equal(name, "x-forwarded-proto"): self = .unread
            default: return nil
            }
        }
    }
}

private enum Text {
    /// Whether a text is that one but for the case of its letters.
    static func equal(_ text: ArraySlice<UInt8>, _ lowercase: StaticString) -> Bool {
        lowercase.withUTF8Buffer { wanted in
            guard text.count == wanted.count else { return false }
            return zip(text, wanted).allSatisfy { byte, wanted in
                byte == wanted
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte && byte | 0x20 == wanted)
            }
        }
    }
}

private struct Reader {
    let bytes: [UInt8]
    private var place = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { self.place == self.bytes.count }

    mutating func skip(_ text: StaticString) -> Bool {
        let place = self.place
        let isThere = text.withUTF8Buffer { text in
            self.bytes.count - place >= text.count
                && text.indices.allSatisfy { self.bytes[place + $0] == text[$0] }
        }
        if isThere { self.place += text.utf8CodeUnitCount }
        return isThere
    }

    /// Up to the next blank; without query or fragment.
    mutating func path() -> ArraySlice<UInt8>? {
        let start = self.place
        while self.place < self.bytes.count, self.bytes[self.place] != UInt8(ascii: " ") {
            switch self.bytes[self.place] {
            case UInt8(ascii: "?"), UInt8(ascii: "#"): return nil
            case 0x21...0x7E: self.place += 1
            default: return nil
            }
        }
        guard self.place > start, self.bytes[start] == UInt8(ascii: "/") else { return nil }
        return self.bytes[start..<self.place]
    }

    /// A line, without the white space around the value (RFC 9112, 5).
    mutating func field() -> (name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)? {
        let start = self.place
        while self.place < self.bytes.count, Self.isNamed(self.bytes[self.place]) { self.place += 1 }
        let name = self.bytes[start..<self.place]
        guard !name.isEmpty, self.skip(":") else { return nil }
        while self.place < self.bytes.count, Self.isBlank(self.bytes[self.place]) { self.place += 1 }
        let first = self.place
        while self.place < self.bytes.count, Self.isShown(self.bytes[self.place]) { self.place += 1 }
        var end = self.place
        while end > first, Self.isBlank(self.bytes[end - 1]) { end -= 1 }
        guard self.skip("\r\n") else { return nil }
        return (name, self.bytes[first..<end])
    }

    private static func isNamed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    private static func isShown(_ byte: UInt8) -> Bool { 0x20...0x7E ~= byte || byte == 0x09 }
}
