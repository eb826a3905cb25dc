/// A path below an account's home: bytes, no normalisation, never escaping.
///
/// Components are 1 to 255 bytes without NUL, `/` and control characters, and are not `.` or `..`; all together
/// 4,095 bytes at most. The home itself is the path without components.
package struct HomePath: Hashable, Sendable, CustomStringConvertible {
    package let components: [[UInt8]]

    package static let home = HomePath(unchecked: [])
    package static let longestComponent = 255
    package static let longest = 4_095

    /// Why some bytes are no path.
    package enum Fault: Error, Hashable, Sendable, CustomStringConvertible {
        case tooLong(bytes: Int)
        case componentTooLong(bytes: Int)
        case emptyComponent
        case dotComponent(String)
        case controlCharacter(UInt8)

        package var description: String {
            switch self {
            case .tooLong(let bytes): "the path has \(bytes) bytes; \(HomePath.longest) is the most"
            case .componentTooLong(let bytes):
                "a name in the path has \(bytes) bytes; \(HomePath.longestComponent) is the most"
            case .emptyComponent: "the path has an empty name (two slashes in a row)"
            case .dotComponent(let name): "the path has the name “\(name)”, which is not allowed"
            case .controlCharacter(let byte): "the path has the control character \(byte)"
            }
        }
    }

    private init(unchecked components: [[UInt8]]) { self.components = components }

    /// One leading and one trailing slash are allowed and say nothing.
    package init(bytes: some Collection<UInt8>) throws(Fault) {
        var rest = Array(bytes)
        guard rest.count <= Self.longest else { throw .tooLong(bytes: rest.count) }
        if rest.first == UInt8(ascii: "/") { rest.removeFirst() }
        if rest.last == UInt8(ascii: "/") { rest.removeLast() }
        guard !rest.isEmpty else {
            self.components = []
            return
        }
        var components: [[UInt8]] = []
        for part in rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            components.append(try Self.checked(Array(part)))
        }
        self.components = components
    }

    private static func checked(_ name: [UInt8]) throws(Fault) -> [UInt8] {
        guard !name.isEmpty else { throw .emptyComponent }
        guard name.count <= Self.longestComponent else { throw .componentTooLong(bytes: name.count) }
        if let bad = name.first(where: { $0 < 0x20 || $0 == 0x7F }) { throw .controlCharacter(bad) }
        guard name != [UInt8(ascii: ".")], name != [UInt8(ascii: "."), UInt8(ascii: ".")] else {
            throw .dotComponent(String(decoding: name, as: UTF8.self))
        }
        return name
    }

    package var isHome: Bool { self.components.isEmpty }
    package var name: [UInt8]? { self.components.last }
    /// Nil for the home itself.
    package var parent: HomePath? {
        self.isHome ? nil : HomePath(unchecked: Array(self.components.dropLast()))
    }

    /// Joined by slashes, with none in front.
    package var bytes: [UInt8] { Array(self.components.joined(separator: [UInt8(ascii: "/")])) }

    package func appending(_ name: [UInt8]) throws(Fault) -> HomePath {
        let path = HomePath(unchecked: self.components + [try Self.checked(name)])
        let count = path.bytes.count
        guard count <= Self.longest else { throw .tooLong(bytes: count) }
        return path
    }

    /// Whether this is `other` or lies below it.
    package func isWithin(_ other: HomePath) -> Bool { self.components.starts(with: other.components) }

    /// As people see it, with a slash in front; bytes that are not UTF-8 show as U+FFFD.
    package var description: String { "/" + String(decoding: self.bytes, as: UTF8.self) }
}
