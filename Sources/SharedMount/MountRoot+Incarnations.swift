import ClusterModel
import ClusterPorts
import Glibc

extension MountRoot {
    func highestIncarnation() throws(VaultError) -> Incarnation? {
        let folder: Descriptor
        do {
            folder = try self.folder.openFolder(Layout.incarnations)
        } catch {
            guard error.code == ENOENT else { throw error.about(Layout.incarnations) }
            guard try self.identity() == nil else {
                throw .foreign("the mount has lost its folder \(Layout.incarnations)")
            }
            return nil
        }
        return try self.notedIncarnations(folder).last
    }

    /// See docs/mount.md for which numbers are accepted and why.
    func note(_ incarnation: Incarnation) throws(VaultError) -> Bool {
        let folder = try self.openOwn(Layout.incarnations)
        let noted = try self.notedIncarnations(folder)
        if noted.count >= Layout.keptIncarnations, let lowest = noted.first, incarnation < lowest {
            return false
        }
        do {
            let name = Array("\(incarnation)".utf8)
            _ = try folder.open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: Layout.fileMode)
        } catch {
            if error.code == EEXIST { return false }
            throw error.about("\(Layout.incarnations)/\(incarnation)")
        }
        try naming(Layout.incarnations) { () throws(SystemFailure) in try folder.sync() }
        for prefix in Layout.stagingPrefixes {
            try naming("\(Layout.staging)/\(prefix)\(incarnation)") { () throws(SystemFailure) in
                let staging = try self.folder.openFolder(Layout.staging)
                try staging.ensureFolder(Array("\(prefix)\(incarnation)".utf8), syncing: true)
            }
        }
        self.makeCradles()
        for old in noted.dropLast(Layout.keptIncarnations) {
            try naming("\(Layout.incarnations)/\(old)") { () throws(SystemFailure) in
                try Entry(folder: folder, name: Array("\(old)".utf8)).unlinkIfThere()
            }
        }
        return true
    }

    /// Rising.
    private func notedIncarnations(_ folder: Descriptor) throws(VaultError) -> [Incarnation] {
        try naming(Layout.incarnations) { () throws(SystemFailure) in
            try folder.anyNames(limit: Layout.longestList).compactMap { Incarnation(name: $0) }.sorted()
        }
    }
}

extension Incarnation {
    /// From its decimal digits; nil for anything else.
    init?(name: some Sequence<UInt8>) {
        let text = String(decoding: Array(name), as: UTF8.self)
        guard let number = Int64(text), "\(number)" == text else { return nil }
        self.init(rawValue: number)
    }
}
