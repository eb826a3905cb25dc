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
            try self.mark(incarnation, in: folder)
        } catch {
            if error.code == EEXIST { return false }
            throw error.about("\(Layout.incarnations)/\(incarnation)")
        }
        try naming(Layout.incarnations) { () throws(SystemFailure) in try folder.sync() }
        for (prefix, spare) in zip(Layout.stagingPrefixes, Layout.spareStarts) {
            try naming("\(Layout.staging)/\(prefix)\(incarnation)") { () throws(SystemFailure) in
                let staging = try self.folder.openFolder(Layout.staging)
                try self.makeStaging(Array("\(prefix)\(incarnation)".utf8), in: staging, sparing: spare)
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

    /// On a full file system the room of a spare folder is given up for it.
    private func mark(_ incarnation: Incarnation, in folder: Descriptor) throws(SystemFailure) {
        let name = Array("\(incarnation)".utf8)
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
        do {
            _ = try folder.open(name, flags, mode: Layout.fileMode)
        } catch {
            guard error.isFull else { throw error }
            try? self.folder.openFolder(Layout.own).removeFolder(Layout.spareMark)
            _ = try folder.open(name, flags, mode: Layout.fileMode)
        }
    }

    private func makeStaging(
        _ name: [UInt8], in staging: Descriptor, sparing spare: [UInt8]
    ) throws(SystemFailure) {
        do {
            try staging.ensureFolder(name, syncing: true)
        } catch {
            guard error.isFull else { throw error }
            let own = try self.folder.openFolder(Layout.own)
            guard
                try self.takeSpare(
                    [Entry(folder: own, name: spare)], as: Entry(folder: staging, name: name))
            else { throw error }
            try staging.sync()
        }
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
