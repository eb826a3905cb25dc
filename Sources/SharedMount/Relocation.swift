import CLinux
import ClusterPorts
import Glibc

extension Entry {
    /// Moves what stands here to `target` if it has the identity and nothing stands there; syncs nothing.
    ///
    /// Can be done again: what was moved by an earlier call is `moved`. When something newer than was looked
    /// at got moved, it is moved back.
    func relocate(
        to target: Entry, identity: FileIdentity, emulating: Bool
    ) throws(SystemFailure) -> MoveOutcome {
        guard try self.identity() == identity else {
            return try target.identity() == identity ? .moved : .notThere
        }
        do {
            try self.renameExclusively(to: target, isFolder: identity.isFolder, emulating: emulating)
        } catch {
            return try self.settle(target, identity: identity, after: error)
        }
        return try self.undoIfMistaken(target, identity: identity, emulating: emulating)
    }

    /// A failed rename may have been done: what stands at both names decides.
    private func settle(
        _ target: Entry, identity: FileIdentity, after failure: SystemFailure
    ) throws(SystemFailure) -> MoveOutcome {
        let there = try target.identity()
        let here = try self.identity()
        if there == identity {
            // The same inode under both names: somebody linked and did not come to unlink.
            if here == identity { try self.unlinkIfThere() }
            return .moved
        }
        guard here == identity else { return .notThere }
        if there != nil { return .blocked }
        throw failure
    }

    /// Between the look and the rename of a late call others may have moved the thing on and put a newer one
    /// here.
    func undoIfMistaken(
        _ target: Entry, identity: FileIdentity, emulating: Bool
    ) throws(SystemFailure) -> MoveOutcome {
        guard let found = try target.identity() else {
            // It went on from there already: as what was meant, or put back by somebody who noticed.
            return try self.identity() == nil ? .moved : .notThere
        }
        guard found != identity else { return .moved }
        try target.renameExclusively(to: self, isFolder: found.isFolder, emulating: emulating)
        return .notThere
    }

    /// Renames and never replaces: EEXIST when something stands at the target.
    ///
    /// Without RENAME_NOREPLACE a file is linked and unlinked; for a folder the look and the rename are two
    /// steps, between which only an empty folder could be replaced (rename refuses anything else).
    func renameExclusively(to target: Entry, isFolder: Bool, emulating: Bool) throws(SystemFailure) {
        if !emulating {
            let answer = unsafe flotilla_rename_no_replace(
                self.folder.raw, self.name.terminated, target.folder.raw, target.name.terminated)
            if answer == 0 { return }
            let failure = SystemFailure.now("renameat2")
            guard [EINVAL, ENOSYS, EOPNOTSUPP].contains(failure.code) else { throw failure }
        }
        guard isFolder else {
            try self.folder.link(self.name, to: target.folder, target.name)
            return try self.unlinkIfThere()
        }
        guard try target.status() == nil else { throw SystemFailure(call: "renameat2", code: EEXIST) }
        try self.renameReplacing(target)
    }

    func renameReplacing(_ target: Entry) throws(SystemFailure) {
        let answer = unsafe renameat(
            self.folder.raw, self.name.terminated, target.folder.raw, target.name.terminated)
        guard answer == 0 else { throw .now("renameat") }
    }

    func unlinkIfThere() throws(SystemFailure) {
        do {
            try self.folder.unlink(self.name)
        } catch {
            guard error.code == ENOENT else { throw error }
        }
    }
}
