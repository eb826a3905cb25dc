import ClusterModel
import ClusterPorts

import struct Foundation.UUID

/// What a name in the trash says: which operation removed what, and from where.
///
/// `<operation>~<identity>~<account/path>`, or a folder `<operation>~<identity>~long` that has the origin in
/// a file.
struct TrashName: Equatable {
    var operation: UUID
    var identity: FileIdentity
    /// Nil for a long name: it is in the folder.
    var account: AccountName?
    var path: HomePath?

    static let thing = Array("thing".utf8)
    static let originFile = Array("from".utf8)
    /// Folders of things that are just being deleted begin with it.
    static let batchMark = UInt8(ascii: "~")
    private static let longMark = "long"

    init(operation: UUID, identity: FileIdentity, account: AccountName, path: HomePath) {
        self.operation = operation
        self.identity = identity
        self.account = account
        self.path = path
    }

    /// Answers nil for what no vault wrote.
    init?(_ name: [UInt8]) {
        let parts = String(decoding: name, as: UTF8.self).split(
            separator: "~", omittingEmptySubsequences: false)
        guard parts.count == 3, let operation = UUID(uuidString: String(parts[0])),
            let identity = FileIdentity(text: parts[1])
        else { return nil }
        self.operation = operation
        self.identity = identity
        if parts[2] == Self.longMark { return }
        guard let origin = Self.parse(origin: Self.decoded(Array(parts[2].utf8))) else { return nil }
        (self.account, self.path) = origin
    }

    private var stem: String { "\(self.operation.uuidString.lowercased())~\(self.identity.text)~" }

    var isLong: Bool { self.path == nil }
    /// Nil where it would be longer than a name can be.
    var short: [UInt8]? {
        let name = Array(self.stem.utf8) + Self.encoded(self.origin)
        return name.count <= HomePath.longestComponent ? name : nil
    }
    var long: [UInt8] { Array("\(self.stem)\(Self.longMark)".utf8) }

    /// `account/path`, also the text of the file in a long entry's folder.
    var origin: [UInt8] {
        guard let account, let path else { return [] }
        return Array("\(account)/".utf8) + path.bytes
    }

    static let longestOrigin = HomePath.longest + 64

    static func parse(origin: [UInt8]?) -> (AccountName, HomePath)? {
        guard let origin, let slash = origin.firstIndex(of: UInt8(ascii: "/")),
            let account = AccountName(String(decoding: origin[..<slash], as: UTF8.self)),
            let path = try? HomePath(bytes: origin[(slash + 1)...])
        else { return nil }
        return (account, path)
    }

    // An account's name never is "long" alone: the origin always has a slash, encoded.
    private static func encoded(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                [byte]
            default: Array("%\([byte].hex)".utf8)
            }
        }
    }

    private static func decoded(_ text: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "%") {
                guard index + 2 < text.count,
                    let byte = [UInt8](hex: String(decoding: text[(index + 1)...(index + 2)], as: UTF8.self))
                else { return nil }
                bytes += byte
                index += 3
            } else {
                bytes.append(text[index])
                index += 1
            }
        }
        return bytes
    }
}

extension FileIdentity {
    /// `<inode>-<size>-<modified>-<d or f>` in base 36; before 1970 the time has a sign `m`.
    var text: String {
        let time = (self.modified < 0 ? "m" : "p") + String(self.modified.magnitude, radix: 36)
        return [
            String(self.inode, radix: 36), String(self.size, radix: 36), time, self.isFolder ? "d" : "f",
        ].joined(separator: "-")
    }

    init?(text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, let inode = UInt64(parts[0], radix: 36),
            let size = Int64(parts[1], radix: 36),
            let sign = parts[2].first, let time = Int64(parts[2].dropFirst(), radix: 36),
            sign == "m" || sign == "p", parts[3] == "d" || parts[3] == "f"
        else { return nil }
        self.init(inode: inode, size: size, modified: sign == "m" ? -time : time, isFolder: parts[3] == "d")
    }
}
