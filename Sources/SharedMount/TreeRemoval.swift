import Glibc

/// Deletes what it is given, folders with all that is in them, as far as a budget goes.
///
/// Works by descriptors and never follows a link. Others may delete the same things at the same time.
struct TreeRemoval {
    /// How many entries may still be deleted.
    private(set) var left: Int
    private(set) var deleted = 0
    /// Deeper folders are moved up to here first, so that the depth of a tree costs no descriptors.
    private let debris: Descriptor
    private var pending: [[UInt8]] = []

    private static let deepest = 32
    private static let namesAtOnce = 1_000
    /// How names in the debris folder begin that need no check any more.
    static let debrisMark = Array("gone-".utf8)

    init(limit: Int, debris: Descriptor) {
        self.left = limit
        self.debris = debris
    }

    /// True when nothing is left of it, false when the budget was used up.
    mutating func remove(_ entry: Entry) throws(SystemFailure) -> Bool {
        guard try self.remove(entry, depth: 0) else { return false }
        while let next = self.pending.popLast() {
            guard try self.remove(Entry(folder: self.debris, name: next), depth: 0) else { return false }
        }
        return true
    }

    private mutating func remove(_ entry: Entry, depth: Int) throws(SystemFailure) -> Bool {
        guard self.left > 0 else { return false }
        do {
            try entry.folder.unlink(entry.name)
            self.count()
            return true
        } catch {
            if error.code == ENOENT { return true }
            guard error.code == EISDIR || error.code == EPERM else { throw error }
        }
        if depth >= Self.deepest {
            let name = Self.debrisMark + Array(Layout.randomDigits().utf8)
            try entry.renameReplacing(Entry(folder: self.debris, name: name))
            self.pending.append(name)
            return true
        }
        guard try self.empty(entry, depth: depth), self.left > 0 else { return false }
        do {
            try entry.folder.removeFolder(entry.name)
            self.count()
        } catch {
            guard error.code == ENOENT else { throw error }
        }
        return true
    }

    private mutating func empty(_ entry: Entry, depth: Int) throws(SystemFailure) -> Bool {
        let folder: Descriptor
        do {
            folder = try entry.folder.openFolder(entry.name)
        } catch {
            if error.code == ENOENT { return true }
            throw error
        }
        while true {
            let names = try folder.anyNames(limit: Self.namesAtOnce)
            if names.isEmpty { return true }
            for name in names {
                guard try self.remove(Entry(folder: folder, name: name), depth: depth + 1) else {
                    return false
                }
            }
        }
    }

    private mutating func count() {
        self.left -= 1
        self.deleted += 1
    }
}
