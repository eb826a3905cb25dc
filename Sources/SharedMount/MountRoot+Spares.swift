import ClusterPorts
import Glibc

/// Empty folders that are kept for the time when the file system is full: without them nothing could be deleted
/// from it, and no node could start on it.
extension MountRoot {
    /// Makes the spare folders that are missing, while there is room.
    func keepSpares() {
        guard let own = try? self.folder.openFolder(Layout.own) else { return }
        for name in [Layout.spareFolder, Layout.spareMark] + Layout.spareStarts {
            _ = try? own.ensureFolder(name, syncing: false)
        }
    }

    /// Gives one of these folders the place, by the one call whose rename finds it; false when none was there.
    func takeSpare(_ candidates: [Entry], as place: Entry) throws(SystemFailure) -> Bool {
        for candidate in candidates {
            do {
                try candidate.renameReplacing(place)
                return true
            } catch {
                guard error.code == ENOENT else { throw error }
            }
        }
        return false
    }
}

extension SystemFailure {
    var isFull: Bool { self.code == ENOSPC || self.code == EDQUOT }
}
