import ClusterModel
import ClusterPorts
import Glibc

import struct Foundation.UUID

extension MountRoot {
    func move(
        _ from: HomePath, to target: HomePath, in account: AccountName, identity: FileIdentity
    ) throws(VaultError) -> MoveOutcome {
        guard let fromParent = from.parent, let fromName = from.name, let targetParent = target.parent,
            let targetName = target.name
        else { throw .forbidden("\(from) → \(target)") }
        guard from != target else {
            return try self.status(of: from, in: account)?.identity == identity ? .moved : .notThere
        }
        guard !target.isWithin(from) else { return .blocked }  // A folder cannot move into itself.
        // Nothing is made for a move whose thing is gone, so that a late call leaves no folders behind.
        let source: Descriptor?
        if case .open(let folder) = try self.place(fromParent, in: account) {
            source = folder
        } else {
            source = nil
        }
        let isThere = try naming(from.description) { () throws(SystemFailure) in
            guard let source else { return false }
            return try Entry(folder: source, name: fromName).identity() == identity
        }
        let place =
            try isThere ? self.makePlace(targetParent, in: account) : self.place(targetParent, in: account)
        guard case .open(let destination) = place else {
            if case .blocked = place, isThere { return .blocked }
            return .notThere
        }
        return try naming("\(from) → \(target)") { () throws(SystemFailure) in
            let entry = Entry(folder: destination, name: targetName)
            guard let source else { return try entry.identity() == identity ? .moved : .notThere }
            let outcome = try Entry(folder: source, name: fromName)
                .relocate(to: entry, identity: identity, emulating: self.emulating)
            if outcome != .blocked {
                try destination.sync()
                try source.sync()
            }
            return outcome
        }
    }

    func remove(
        _ path: HomePath, in account: AccountName, identity: FileIdentity, operation: UUID
    ) throws(VaultError) -> MoveOutcome {
        guard let parent = path.parent, let name = path.name else { throw .forbidden("the home itself") }
        let trash = try self.openOwn(Layout.trash)
        let label = TrashName(operation: operation, identity: identity, account: account, path: path)
        let source: Entry?
        if case .open(let folder) = try self.place(parent, in: account) {
            source = Entry(folder: folder, name: name)
        } else {
            source = nil
        }
        return try naming(path.description) { () throws(SystemFailure) in
            let isThere = try source?.identity() == identity
            guard let target = try self.trashEntry(label, in: trash, making: isThere) else {
                return .notThere
            }
            guard let source else { return try target.identity() == identity ? .moved : .notThere }
            let outcome = try source.relocate(to: target, identity: identity, emulating: self.emulating)
            if outcome != .blocked {
                try target.folder.sync()
                try source.folder.sync()
            }
            return outcome
        }
    }

    /// Where in the trash the thing goes; nil when that is a folder which is not there and shall not be made.
    private func trashEntry(
        _ label: TrashName, in trash: Descriptor, making: Bool
    ) throws(SystemFailure) -> Entry? {
        if let name = label.short { return Entry(folder: trash, name: name) }
        if !making {
            guard try trash.status(of: label.long) != nil else { return nil }
            return Entry(folder: try trash.openFolder(label.long), name: TrashName.thing)
        }
        let folder = try trash.ensureFolder(label.long, syncing: true)
        // Written by every caller alike, so two of them at once do no harm.
        let origin = try folder.open(
            TrashName.originFile, O_WRONLY | O_CREAT | O_NOFOLLOW, mode: Layout.fileMode)
        try origin.write(label.origin)
        try origin.sync()
        try folder.sync()
        return Entry(folder: folder, name: TrashName.thing)
    }
}
