package import ClusterModel

/// Counting by listing, for what has no faster way.
extension HomeTally where Self: HomeFolders {
    package func tally(
        below folder: HomePath, in account: AccountName, limit: Int
    ) async throws(VaultError) -> HomeUse? {
        var use = HomeUse.none
        var left = limit
        var pending = [folder]
        while let next = pending.popLast() {
            var after: [UInt8]?
            while true {
                let page: [FolderEntry]
                do {
                    page = try await self.list(next, in: account, after: after, limit: 10_000)
                } catch {
                    // Gone, or replaced by a file, meanwhile.
                    switch error {
                    case .notFound, .notAFolder: page = []
                    default: throw error
                    }
                }
                guard page.count <= left else { return nil }
                left -= page.count
                for entry in page {
                    switch entry.status.kind {
                    case .file:
                        use.bytes += entry.status.size
                        use.files += 1
                    case .folder:
                        // A name that is no path of ours has nothing that we could change either.
                        if let path = try? next.appending(entry.name) { pending.append(path) }
                    case .link, .other: break
                    }
                }
                guard page.count == 10_000, let last = page.last else { break }
                after = last.name
            }
        }
        return use
    }
}
