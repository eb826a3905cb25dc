import CLinux
import ClusterPorts
import Glibc

/// Walks a folder with all that is in it, by descriptors, and never follows a link.
///
/// Costs a descriptor and a buffer for each level; how many things are in the folders costs nothing.
struct TreeWalk: Sendable {
    enum Visit {
        /// A folder begins; what is in it follows.
        case folder([UInt8], FileStatus)
        /// It was a file when it was looked at.
        case file([UInt8], Entry, FileStatus)
        /// A link, a pipe or the like.
        case other([UInt8])
        /// The last folder that began ends.
        case end
        /// A folder that lies too deep.
        case tooDeep([UInt8])
    }

    private struct Level {
        var path: [UInt8]
        var folder: Descriptor
        var names: FolderReader
    }

    private var levels: [Level]
    private let deepest: Int

    init(_ root: Descriptor, deepest: Int) throws(SystemFailure) {
        self.levels = [Level(path: [], folder: root, names: try FolderReader(root))]
        self.deepest = deepest
    }

    /// Nil after the last one.
    mutating func next() throws(SystemFailure) -> Visit? {
        while let depth = self.levels.indices.last {
            guard let name = try self.levels[depth].names.next() else {
                self.levels.removeLast()
                if self.levels.isEmpty { return nil }
                return .end
            }
            if let visit = try self.visit(name, in: self.levels[depth]) { return visit }
        }
        return nil
    }

    /// Nil for what is gone.
    private mutating func visit(_ name: [UInt8], in level: Level) throws(SystemFailure) -> Visit? {
        let entry = Entry(folder: level.folder, name: name)
        guard let status = try entry.status() else { return nil }
        let path = level.path.isEmpty ? name : level.path + [UInt8(ascii: "/")] + name
        switch status.kind {
        case .file: return .file(path, entry, status)
        case .link, .other: return .other(path)
        case .folder: break
        }
        guard self.levels.count < self.deepest else { return .tooDeep(path) }
        do {
            let folder = try level.folder.openFolder(name)
            self.levels.append(Level(path: path, folder: folder, names: try FolderReader(folder)))
            return .folder(path, status)
        } catch {
            // Gone since, or another thing has its name.
            guard [ENOENT, ENOTDIR, ELOOP].contains(error.code) else { throw error }
            return nil
        }
    }
}

extension Entry {
    /// Opens a file to read it; nil when it is gone, or is no file any more.
    func openFile() throws(SystemFailure) -> (file: Descriptor, status: FileStatus)? {
        do {
            // Not blocking: opening a pipe would wait for its other end.
            let file = try self.folder.open(self.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            let status = FileStatus(try file.status())
            return status.kind == .file ? (file, status) : nil
        } catch {
            guard [ENOENT, ELOOP, ENXIO].contains(error.code) else { throw error }
            return nil
        }
    }
}
