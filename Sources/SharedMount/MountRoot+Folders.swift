import ClusterModel
import ClusterPorts
import Glibc

extension MountRoot {
    /// A folder for a name to stand in.
    enum Place {
        case open(Descriptor)
        /// Something that is not a folder stands on the way.
        case blocked(by: FileStatus.Kind)
        case missing
    }

    func place(_ path: HomePath, in account: AccountName) throws(VaultError) -> Place {
        do {
            return .open(try self.openFolder(path, in: account))
        } catch {
            switch error.code {
            case ENOENT: return .missing
            case ENOTDIR: return .blocked(by: .file)
            case ELOOP: return .blocked(by: .link)
            default: throw error.about(path.description)
            }
        }
    }

    /// Like ``place(_:in:)``, and makes what is missing, synced.
    ///
    /// Never makes the home: it is missing for a reason.
    func makePlace(_ path: HomePath, in account: AccountName) throws(VaultError) -> Place {
        let place = try self.place(path, in: account)
        guard case .missing = place else { return place }
        guard case .open(var folder) = try self.place(.home, in: account) else {
            throw .notFound("the home of \(account)")
        }
        for name in path.components {
            do {
                folder = try folder.ensureFolder(name, syncing: false)
            } catch {
                switch error.code {
                case ENOTDIR: return .blocked(by: .file)
                case ELOOP: return .blocked(by: .link)
                default: throw error.about(path.description)
                }
            }
        }
        return .open(folder)
    }

    func makeFolders(_ path: HomePath, in account: AccountName) throws(VaultError) {
        switch try self.makePlace(path, in: account) {
        case .open(let folder):
            // Who made it may not have come to sync it.
            try naming(path.description) { () throws(SystemFailure) in
                try folder.sync()
                if let parent = path.parent { try self.openFolder(parent, in: account).sync() }
            }
        case .blocked(by: .link): throw .forbidden(path.description)
        case .blocked: throw .notAFolder(path.description)
        case .missing: throw .notFound(path.description)
        }
    }
}
