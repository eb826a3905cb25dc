import ClusterModel
import ClusterPorts
import Glibc
import Synchronization

/// Tells work on a thread that nobody waits for it any more.
final class StopFlag: Sendable {
    private let isOn = Atomic(false)

    var isSet: Bool { self.isOn.load(ordering: .relaxed) }
    func set() { self.isOn.store(true, ordering: .relaxed) }
}

/// Counts the regular files below a folder; by descriptors, never following a link.
///
/// Others may change what is counted at the same time: what goes away between two looks is not counted.
struct TreeTally {
    private(set) var use = HomeUse.none
    /// More than `limit` entries were there.
    private(set) var isTooLarge = false
    private var left: Int
    private let stop: StopFlag
    private var failure: SystemFailure?
    /// Folders that lie too deep to keep all descriptors above them open, as paths below the first one.
    private var deep: [[UInt8]] = []

    private static let deepest = 32
    /// Of a path in one call, in bytes; well below PATH_MAX.
    private static let partMax = 2_048

    init(limit: Int, stop: StopFlag) {
        self.left = limit
        self.stop = stop
    }

    private var goesOn: Bool { !self.isTooLarge && self.failure == nil && !self.stop.isSet }

    mutating func count(below top: Descriptor) throws(SystemFailure) {
        try self.count(in: top, path: [], depth: 0)
        while self.goesOn, let next = self.deep.popLast() {
            guard
                let folder = try Self.ifThere({ () throws(SystemFailure) in try Self.open(next, below: top) })
            else { continue }
            try self.count(in: folder, path: next, depth: 0)
        }
        if let failure = self.failure { throw failure }
    }

    private mutating func count(in folder: Descriptor, path: [UInt8], depth: Int) throws(SystemFailure) {
        var reader = try FolderReader(folder)
        while self.goesOn, let name = try reader.next() {
            self.take(Entry(folder: folder, name: name), path, depth)
        }
    }

    private mutating func take(_ entry: Entry, _ path: [UInt8], _ depth: Int) {
        guard self.left > 0 else {
            self.isTooLarge = true
            return
        }
        self.left -= 1
        do throws(SystemFailure) {
            guard let status = try entry.status() else { return }
            switch status.kind {
            case .file:
                self.use.bytes += status.size
                self.use.files += 1
            case .folder:
                let below = path.isEmpty ? entry.name : path + [UInt8(ascii: "/")] + entry.name
                guard depth < Self.deepest else {
                    self.deep.append(below)
                    return
                }
                guard
                    let folder = try Self.ifThere({ () throws(SystemFailure) in
                        try entry.folder.openFolder(entry.name)
                    })
                else { return }
                try self.count(in: folder, path: below, depth: depth + 1)
            case .link, .other: break
            }
        } catch {
            self.failure = error
        }
    }

    /// In parts that the system takes: moves of folders make paths of any length.
    private static func open(_ path: [UInt8], below top: Descriptor) throws(SystemFailure) -> Descriptor {
        var folder = top
        var rest = path[...]
        // No name is longer than 255 bytes, so that each part has a whole one.
        while rest.count > Self.partMax, let end = rest.prefix(Self.partMax).lastIndex(of: UInt8(ascii: "/"))
        {
            folder = try folder.openFolder(Array(rest[..<end]))
            rest = rest[(end + 1)...]
        }
        return try folder.openFolder(Array(rest))
    }

    /// Nil when it is gone, or something else by now.
    private static func ifThere(
        _ open: () throws(SystemFailure) -> Descriptor
    ) throws(SystemFailure) -> Descriptor? {
        do throws(SystemFailure) { return try open() } catch {
            guard [ENOENT, ENOTDIR, ELOOP].contains(error.code) else { throw error }
            return nil
        }
    }
}

extension MountRoot {
    /// Nil when there are more than `limit` entries.
    func tally(
        below path: HomePath, in account: AccountName, limit: Int, _ stop: StopFlag
    ) throws(VaultError) -> HomeUse? {
        let tally = try naming(path.description) { () throws(SystemFailure) in
            var tally = TreeTally(limit: limit, stop: stop)
            do throws(SystemFailure) {
                try tally.count(below: try self.openFolder(path, in: account))
            } catch {
                guard error.code == ENOENT || error.code == ENOTDIR else { throw error }
            }
            return tally
        }
        guard !stop.isSet else { throw .failed("counting \(path) was called off") }
        return tally.isTooLarge ? nil : tally.use
    }
}
