import ClusterModel
import ClusterPorts
import Glibc

extension MountRoot {
    /// How often a folder that vanished between two steps is looked up again.
    private static var attempts: Int { 8 }

    func publish(
        _ staged: StagedIdentity, as path: HomePath, in account: AccountName, replacing: Bool
    ) throws(VaultError) -> Shown {
        guard let parent = path.parent, let name = path.name else { return Shown(.blocked(by: .folder)) }
        for _ in 0..<Self.attempts {
            guard let source = try self.stagedEntry(staged.name),
                let found = try naming(
                    "staging \(staged.name)", { () throws(SystemFailure) in try source.identity() })
            else { return try self.publishedEarlier(staged, as: path, in: account) }
            guard found == staged.identity else {
                throw .failed(
                    "staging \(staged.name) is not what was sealed: \(found) instead of \(staged.identity)")
            }
            switch try self.makePlace(parent, in: account) {
            case .blocked(let kind): return Shown(.blocked(by: kind))
            case .missing: continue
            case .open(let folder):
                let target = Entry(folder: folder, name: name)
                let outcome = try naming(path.description) { () throws(SystemFailure) in
                    try self.publish(source, staged.identity, as: target, replacing: replacing)
                }
                if let outcome { return outcome }
            }
        }
        throw .failed("\(parent) vanished \(Self.attempts) times while \(path) was being published")
    }

    /// Nil when the folder of the target went away: look it up again.
    private func publish(
        _ source: Entry, _ identity: FileIdentity, as target: Entry, replacing: Bool
    ) throws(SystemFailure) -> Shown? {
        let standing = try target.status()
        if let standing, standing.identity != identity {
            guard replacing, !identity.isFolder, standing.kind == .file else {
                return Shown(.blocked(by: standing.kind))
            }
        }
        do {
            // A rename onto the same inode does nothing and succeeds, so that case is left to the other
            // branch.
            if replacing, !identity.isFolder, standing?.identity != identity {
                try source.renameReplacing(target)
            } else {
                try source.renameExclusively(
                    to: target, isFolder: identity.isFolder, emulating: self.emulating)
            }
        } catch {
            // A failed rename may have been done: what stands at both names decides.
            let there = try target.status()
            let here = try source.identity()
            if there?.identity == identity {
                if here == identity { try source.unlinkIfThere() }
            } else if here == nil {
                return Shown(.superseded)
            } else if let there {
                // Replacing what is a file now failed for a reason of its own.
                guard there.kind != .file || [EEXIST, ENOTDIR].contains(error.code) else { throw error }
                return Shown(.blocked(by: there.kind))
            } else {
                guard error.code == ENOENT else { throw error }
                return nil
            }
        }
        return try self.published(target, identity)
    }

    /// Syncs the folder; what is shown carries the change time that the rename gave it.
    private func published(_ target: Entry, _ identity: FileIdentity) throws(SystemFailure) -> Shown {
        try target.folder.sync()
        // It is published, whatever this look says; and somebody may have been here since.
        guard let shown = try? target.status(), shown.identity == identity else { return Shown(.published) }
        return Shown(.published, status: shown)
    }

    private func publishedEarlier(
        _ staged: StagedIdentity, as path: HomePath, in account: AccountName
    ) throws(VaultError) -> Shown {
        guard let parent = path.parent, let name = path.name,
            case .open(let folder) = try self.place(parent, in: account)
        else { return Shown(.superseded) }
        return try naming(path.description) { () throws(SystemFailure) in
            let target = Entry(folder: folder, name: name)
            guard try target.identity() == staged.identity else { return Shown(.superseded) }
            // Synced once more: who renamed it may not have come to it.
            return try self.published(target, staged.identity)
        }
    }
}
