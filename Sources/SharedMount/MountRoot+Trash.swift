import ClusterModel
import ClusterPorts
import Glibc

/// What a round through the trash did.
struct TrashRound {
    /// Files and folders deleted for good.
    var deleted = 0
    /// Put back, because they are not what was decided to be removed.
    var putBack: [String] = []
    /// Neither deleted nor put back, and why.
    var kept: [String] = []
}

extension MountRoot {
    /// Deletes at most `limit` files and folders.
    ///
    /// Each entry is first moved to a folder that only this call uses and looked at there: nobody can put
    /// another thing under its name between the look and the deletion.
    func emptyTrash(limit: Int) throws(VaultError) -> TrashRound {
        let trash = try self.openOwn(Layout.trash)
        var round = TrashRound()
        let names = try naming(Layout.trash) { () throws(SystemFailure) in
            try trash.anyNames(limit: Layout.longestList)
        }
        self.keepSpares()
        guard !names.isEmpty, limit > 0 else { return round }
        let batchName = [TrashName.batchMark] + Array(Layout.randomDigits().utf8)
        let batch = try naming(Layout.trash) { () throws(SystemFailure) in
            try self.makeBatch(batchName, in: trash)
        }
        defer { self.putAway(batchName, batch, in: trash) }
        var removal = TreeRemoval(limit: limit, debris: batch)
        // Only where the folder was taken over from a call that died.
        for name in (try? batch.anyNames(limit: Layout.longestList)) ?? [] where removal.left > 0 {
            self.discard(Entry(folder: batch, name: name), batch, &removal, &round)
        }
        for name in names where removal.left > 0 {
            if name.first == TrashName.batchMark {
                self.resume(name, in: trash, batch, &removal, &round)
            } else {
                self.discard(Entry(folder: trash, name: name), batch, &removal, &round)
            }
        }
        round.deleted = removal.deleted
        return round
    }

    /// Makes a folder for one call.
    ///
    /// A full file system has no room for it: then the spare one is taken, by the one call whose rename finds it; and
    /// where that is gone, the one of a call that died with it.
    func makeBatch(_ name: [UInt8], in trash: Descriptor) throws(SystemFailure) -> Descriptor {
        do {
            try trash.makeFolder(name)
        } catch {
            guard error.isFull else { throw error }
            let own = try self.folder.openFolder(Layout.own)
            let others = try trash.anyNames(limit: Layout.longestList).filter {
                $0.first == TrashName.batchMark
            }
            let candidates =
                [Entry(folder: own, name: Layout.spareFolder)]
                + others.map { Entry(folder: trash, name: $0) }
            guard try self.takeSpare(candidates, as: Entry(folder: trash, name: name)) else { throw error }
        }
        return try trash.openFolder(name)
    }

    /// Ends the folder of a call, which is not empty when the limit was reached: the next call goes on with it.
    ///
    /// An empty one becomes the spare one where that is missing: removed and made anew, others could be faster and
    /// fill the file system again.
    private func putAway(_ name: [UInt8], _ batch: Descriptor, in trash: Descriptor) {
        if (try? batch.anyNames(limit: 1))?.isEmpty == true,
            let own = try? self.folder.openFolder(Layout.own),
            (try? Entry(folder: trash, name: name).renameExclusively(
                to: Entry(folder: own, name: Layout.spareFolder), isFolder: true, emulating: self.emulating))
                != nil
        {
            return
        }
        try? trash.removeFolder(name)
    }

    /// Goes on with what another call left, or is just doing.
    private func resume(
        _ name: [UInt8], in trash: Descriptor, _ batch: Descriptor, _ removal: inout TreeRemoval,
        _ round: inout TrashRound
    ) {
        guard let old = try? trash.openFolder(name), let names = try? old.anyNames(limit: Layout.longestList)
        else {
            return  // Finished in the meantime.
        }
        for name in names where removal.left > 0 {
            self.discard(Entry(folder: old, name: name), batch, &removal, &round)
        }
        try? trash.removeFolder(name)
    }

    private func discard(
        _ entry: Entry, _ batch: Descriptor, _ removal: inout TreeRemoval, _ round: inout TrashRound
    ) {
        let shown = String(decoding: entry.name, as: UTF8.self)
        do {
            if entry.name.starts(with: TreeRemoval.debrisMark) {
                _ = try removal.remove(entry)
                return
            }
            guard let label = TrashName(entry.name) else {
                round.kept.append("\(shown): no name of ours")
                return
            }
            let own = Entry(folder: batch, name: entry.name)
            if entry.folder !== batch {
                if try self.putBackIfMistaken(entry, label, &round) { return }
                try entry.renameExclusively(to: own, isFolder: label.isFolderEntry, emulating: self.emulating)
            }
            if try self.putBackIfMistaken(own, label, &round) { return }
            _ = try removal.remove(own)
        } catch {
            if error.code == ENOENT { return }  // Somebody else deals with it.
            round.kept.append("\(shown): \(error.call): \(error.text)")
        }
    }

    /// True when the entry is not what its name says; then it was put back, or noted as kept.
    private func putBackIfMistaken(
        _ entry: Entry, _ label: TrashName, _ round: inout TrashRound
    ) throws(SystemFailure) -> Bool {
        var thing = entry
        var origin = label.path.flatMap { path in label.account.map { ($0, path) } }
        if label.isLong {
            let folder = try entry.folder.openFolder(entry.name)
            thing = Entry(folder: folder, name: TrashName.thing)
            if try folder.status(of: TrashName.originFile) != nil {
                let file = try folder.open(TrashName.originFile, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
                origin = TrashName.parse(origin: try file.read(atMost: TrashName.longestOrigin))
            }
        }
        guard let found = try thing.identity(), found != label.identity else { return false }
        let shown = String(decoding: entry.name, as: UTF8.self)
        guard let (account, path) = origin, let parent = path.parent, let name = path.name,
            let folder = try? self.openFolder(parent, in: account)
        else {
            round.kept.append("\(shown): not what was to be removed, and its folder is gone")
            return true
        }
        let target = Entry(folder: folder, name: name)
        guard try thing.relocate(to: target, identity: found, emulating: self.emulating) == .moved else {
            round.kept.append("\(shown): not what was to be removed, and its place is taken")
            return true
        }
        try folder.sync()
        try thing.folder.sync()
        round.putBack.append("\(account)\(path)")
        return true
    }
}

extension TrashName {
    /// Whether the entry in the trash is a folder (a long one always is).
    var isFolderEntry: Bool { self.isLong || self.identity.isFolder }
}
