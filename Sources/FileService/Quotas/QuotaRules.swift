package import ClusterModel
package import ClusterPorts

/// Decides what changes cost, and whether bytes on their way can still fit.
package enum QuotaRules {
    /// - Parameters:
    ///   - held: what a staged folder has in it.
    ///   - found: what stands at the path.
    package static func cost(
        ofPublishing identity: FileIdentity, holding held: HomeUse = .none, over found: FileStatus?
    ) -> ChangeCost {
        guard !identity.isFolder else { return .difference(held) }
        let old = Self.use(of: found)
        return .difference(HomeUse(bytes: identity.size - old.bytes, files: 1 - old.files))
    }

    package static func cost(ofMoving identity: FileIdentity) -> ChangeCost {
        identity.isFolder ? .movedFolder : .moved(HomeUse(bytes: identity.size, files: 1))
    }

    package static func cost(ofRemoving file: FileIdentity) -> ChangeCost {
        .difference(HomeUse(bytes: -file.size, files: -1))
    }

    /// - Parameter held: nil when it was too much to count.
    package static func cost(ofRemovingFolderWith held: HomeUse?) -> ChangeCost {
        guard let held else { return .uncounted }
        return .difference(HomeUse(bytes: -held.bytes, files: -held.files))
    }

    /// What of a home's use a thing is; only regular files are.
    package static func use(of found: FileStatus?) -> HomeUse {
        guard let found, found.kind == .file else { return .none }
        return HomeUse(bytes: found.size, files: 1)
    }

    /// What keeps a body of so many bytes, in all, from becoming a file over what is found; nil while nothing does.
    ///
    /// - Parameter counts: whether durable bytes of open uploads take room.
    package static func objection(
        to total: Int64, over found: HomeUse, _ account: AccountQuota, countingOpen counts: Bool
    ) -> QuotaRefusal? {
        let use = HomeUse(
            bytes: account.use.bytes + (counts ? account.open : 0), files: account.use.files)
        let need = HomeUse(bytes: total - found.bytes, files: 1 - found.files)
        // Compared without a sum: a client may announce any length.
        let isOverBytes = need.bytes > 0 && account.quota.bytes.map { need.bytes > $0 - use.bytes } ?? false
        let isOverFiles = need.files > 0 && account.quota.files.map { use.files + need.files > $0 } ?? false
        guard isOverBytes || isOverFiles else { return nil }
        return QuotaRefusal(quota: account.quota, use: use, need: need)
    }
}

extension QuotaRefusal {
    /// For people.
    var reason: String {
        guard self.isAboutBytes, let limit = self.quota.bytes else {
            return
                "the account may have \(self.quota.files ?? 0) files and has \(self.use.files)"
        }
        return
            "the account may have \(limit) bytes, uses \(self.use.bytes), and \(self.need.bytes) more are needed"
    }
}
