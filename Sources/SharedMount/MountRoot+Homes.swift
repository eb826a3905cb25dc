import CLinux
import ClusterModel
import ClusterPorts
import Glibc

/// A file below a home, opened to be read.
struct OpenedBelow: Sendable {
    let status: FileStatus
    let file: Descriptor
    /// On a disk of this machine.
    let isLocal: Bool
}

extension MountRoot {
    func makeHome(of account: AccountName, adopting: Bool) throws(VaultError) {
        let homes = try self.openOwn(Layout.homes)
        let name = Array(account.description.utf8)
        if !adopting {
            let standing = try naming("the home of \(account)") { () throws(SystemFailure) in
                try Entry(folder: homes, name: name).status()
            }
            guard standing == nil else { throw .exists("the home of \(account)") }
        }
        try naming("the home of \(account)") { () throws(SystemFailure) in
            if !adopting { try homes.makeFolder(name) }  // EEXIST: somebody else was faster.
            let home = try homes.ensureFolder(name, syncing: true)
            guard !adopting else { return }
            try home.setMode(Layout.folderMode)
            try home.sync()
        }
    }

    func hasHome(of account: AccountName) throws(VaultError) -> Bool {
        let homes = try self.openOwn(Layout.homes)
        return try naming("the home of \(account)") { () throws(SystemFailure) in
            try Entry(folder: homes, name: Array(account.description.utf8)).status()?.kind == .folder
        }
    }

    func status(of path: HomePath, in account: AccountName) throws(VaultError) -> FileStatus? {
        do {
            // A final link is answered as itself, one on the way is an error.
            return FileStatus(try self.open(path, in: account, flotilla_path_only | O_NOFOLLOW).status())
        } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw error.about(path.description)
        }
    }

    func openFile(
        _ path: HomePath, in account: AccountName
    ) throws(VaultError) -> OpenedBelow {
        // Not blocking: opening a pipe would wait for its other end.
        let opened = try naming(path.description) { () throws(SystemFailure) in
            let file = try self.open(path, in: account, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            let status = try file.status()
            return OpenedBelow(
                status: FileStatus(status), file: file,
                isLocal: self.isLocal && status.device == self.device)
        }
        guard opened.status.kind == .file else { throw .notAFile(path.description) }
        return opened
    }

    /// Nil when anything of it is not in memory, or it is no file of this mount.
    func openReady(_ path: HomePath, in account: AccountName) -> OpenedBelow? {
        let whole = Array("\(Layout.home(of: account))/".utf8) + path.bytes
        guard let file = self.folder.openReady(whole), let status = try? file.status() else { return nil }
        let found = FileStatus(status)
        guard found.kind == .file, status.device == self.device else { return nil }
        return OpenedBelow(status: found, file: file, isLocal: true)
    }
}
