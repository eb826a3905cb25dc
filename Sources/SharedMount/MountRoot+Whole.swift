import ClusterModel
import ClusterPorts
import Glibc

extension MountRoot {
    /// What stands at a path, and above it.
    func look(at path: HomePath, in account: AccountName) throws(VaultError) -> PathLook {
        // Nearly always the parent is there: then it is looked up once, and the name in it.
        if let parent = path.parent, let name = path.name,
            let folder = try? self.openFolder(parent, in: account),
            let look = try? PathLook(
                found: Entry(folder: folder, name: name).status(), parent: FileStatus(folder.status()))
        {
            return look
        }
        let found = try self.status(of: path, in: account)
        guard found == nil, let parent = path.parent else { return PathLook(found: found, parent: nil) }
        return PathLook(found: nil, parent: try self.status(of: parent, in: account))
    }

    /// Looks, and unless there is an objection stages all of a file, durable.
    func stageWhole(
        _ whole: WholeFile, for incarnation: Incarnation, unless objected: (PathLook) -> Bool
    ) throws(VaultError) -> WholeStaging {
        let look = try self.look(at: whole.path, in: whole.account)
        if objected(look) { return WholeStaging(look: look, sealed: nil) }
        var writing = try self.begin(whole.operation, for: incarnation)
        do throws(VaultError) {
            try writing.writeLast(whole.pieces)
            return WholeStaging(look: look, sealed: try writing.seal())
        } catch {
            writing.abandon()
            throw error
        }
    }
}
