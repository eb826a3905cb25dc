import ClusterModel
import ClusterPorts
import Glibc

extension MountRoot {
    private static var identityPath: String { "\(Layout.own)/\(Layout.identityFile)" }

    func identity() throws(VaultError) -> MountIdentity? {
        let file: Descriptor
        do {
            file = try self.folder.open(Array(Self.identityPath.utf8), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        } catch {
            if error.code == ENOENT { return nil }
            throw error.about(Self.identityPath)
        }
        let bytes = try naming(Self.identityPath) { () throws(SystemFailure) in
            try file.read(atMost: IdentityFile.longest + 1)
        }
        guard let identity = IdentityFile.parse(bytes) else {
            throw .foreign("\(Self.identityPath) on the mount is not readable as a cluster's identity")
        }
        return identity
    }

    func establish(_ proposed: MountIdentity) throws(VaultError) -> MountIdentity {
        for path in Layout.folders { try self.makeOwnFolder(path) }
        self.keepSpares()
        if let identity = try self.identity() { return identity }
        let own = try self.openOwn(Layout.own)
        let draft = Array("\(Layout.identityFile)-\(Layout.randomDigits())".utf8)
        try naming("\(Layout.own)/\(String(decoding: draft, as: UTF8.self))") { () throws(SystemFailure) in
            let file = try own.open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: Layout.fileMode)
            try file.write(IdentityFile.text(proposed))
            try file.sync()
        }
        var linkFailure: SystemFailure?
        do {
            try own.link(draft, to: own, Array(Layout.identityFile.utf8))
        } catch {
            if error.code != EEXIST { linkFailure = error }
        }
        try naming(Self.identityPath) { () throws(SystemFailure) in
            try Entry(folder: own, name: draft).unlinkIfThere()
            try own.sync()
        }
        // The link may have been made and answered with an error; what stands there decides.
        if let identity = try self.identity() { return identity }
        throw (linkFailure ?? SystemFailure(call: "linkat", code: EIO)).about(Self.identityPath)
    }

    /// Makes one of Flotilla's own folders, synced, unless it is there.
    private func makeOwnFolder(_ path: String) throws(VaultError) {
        let parts = path.split(separator: "/")
        let above = parts.dropLast().joined(separator: "/")
        try naming(path) { () throws(SystemFailure) in
            let parent = above.isEmpty ? self.folder : try self.folder.openFolder(above)
            try parent.ensureFolder(Array((parts.last ?? "").utf8), syncing: false)
        }
    }

    /// Whether the mount can be written: opens, writes and syncs a file that all nodes share.
    func checkWritable() throws(VaultError) {
        let path = "\(Layout.own)/probe"
        try naming(path) { () throws(SystemFailure) in
            let file = try self.folder.open(
                Array(path.utf8), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode: Layout.fileMode)
            try file.write(Array(Layout.randomDigits().utf8))
            try file.sync()
        }
    }
}

extension Descriptor {
    /// Makes the folder and syncs it and this one, unless it is there; answers it, opened.
    ///
    /// - Parameter syncing: this folder is synced in any case, since who made the other may not have come to
    /// it.
    @discardableResult
    func ensureFolder(_ name: [UInt8], syncing: Bool) throws(SystemFailure) -> Descriptor {
        do {
            let there = try self.openFolder(name)
            if syncing { try self.sync() }
            return there
        } catch {
            guard error.code == ENOENT else { throw error }
        }
        do {
            try self.makeFolder(name)
        } catch {
            guard error.code == EEXIST else { throw error }
        }
        let made = try self.openFolder(name)
        try made.setMode(Layout.folderMode)  // mkdir's is cut by the umask.
        try made.sync()
        try self.sync()
        return made
    }
}
