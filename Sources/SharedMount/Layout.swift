import ClusterModel
import ClusterPorts
import Glibc

/// Where things are below the mount's root, and their rights.
enum Layout {
    static let own = ".flotilla"
    static let identityFile = "cluster"
    static let staging = ".flotilla/staging"
    static let trash = ".flotilla/trash"
    static let incarnations = ".flotilla/incarnations"
    static let homes = "homes"
    /// Below them staged files begin, without a name; where they are missing that happens elsewhere.
    static let cradles = ".flotilla/cradles"
    static let cradleCount = 32
    /// Below `own`: an empty folder for the trash of a full file system.
    static let spareFolder = Array("spare".utf8)
    /// The same for a node that starts on one: its two folders below staging, and room for its mark.
    static let spareStarts = ["spare-start-i", "spare-start-u"].map { Array($0.utf8) }
    static let spareMark = Array("spare-start".utf8)
    /// Made when the mount is established, parents first.
    static let folders = [own, staging, trash, incarnations, homes]

    static let fileMode: mode_t = 0o640
    /// The group of a folder is inherited, so that other programs of the group can work in it.
    static let folderMode: mode_t = 0o2770

    /// How many of the last incarnations are kept.
    static let keptIncarnations = 256
    /// The most names that one call reads into memory.
    static let longestList = 10_000

    static func staging(of incarnation: Incarnation) -> String { "\(Self.staging)/i\(incarnation)" }
    /// Of an incarnation's folders below staging: for what names' rows name, and for segments.
    static let stagingPrefixes = ["i", "u"]
    /// Where segments of resumable uploads are; ``StagedName`` tells why they are apart.
    static func segments(of incarnation: Incarnation) -> String { "\(Self.staging)/u\(incarnation)" }
    static func folder(of name: StagedName) -> String {
        name.isSegment ? Self.segments(of: name.incarnation) : Self.staging(of: name.incarnation)
    }
    static func home(of account: AccountName) -> String { "\(Self.homes)/\(account)" }

    /// 16 hexadecimal digits that nobody else draws.
    static func randomDigits() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
