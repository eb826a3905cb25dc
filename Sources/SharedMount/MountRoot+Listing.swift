import ClusterModel
import ClusterPorts
import Glibc

extension MountRoot {
    func list(
        _ path: HomePath, in account: AccountName, after name: [UInt8]?, limit: Int, walk: ListingWalk?,
        kept: KeptScans
    ) throws(VaultError) -> [FolderEntry] {
        let limit = min(limit, Layout.longestList)
        guard limit > 0 else { return [] }
        return try naming(path.description) { () throws(SystemFailure) in
            let folder = try self.openFolder(path, in: account)
            let key = walk.map { KeptScans.Key(walk: $0, account: account, path: path) }
            let identity = FileStatus(try folder.status()).identity
            var page: [FolderEntry] = []
            var cursor = name
            var scan: KeptScans.Scan?
            if let key, let name { scan = kept.take(key, after: name, in: identity) }
            while page.count < limit {
                let names: NameTable
                if let scan {
                    names = scan.names
                } else {
                    names = try folder.names(
                        after: cursor, limit: key == nil ? limit - page.count : max(limit, KeptScans.names))
                    scan = KeptScans.Scan(names: names, folder: identity, madeAt: .now, reached: [])
                }
                var index = cursor.map { names.index(after: $0) } ?? 0
                while index < names.count, page.count < limit {
                    let name = names.name(index)
                    index += 1
                    cursor = name
                    // Gone between the two looks: the page is filled up from what follows.
                    guard let status = try Entry(folder: folder, name: name).status() else { continue }
                    page.append(FolderEntry(name: name, status: status))
                }
                if index < names.count { break }
                guard names.isCut else { return page }
                scan = nil
            }
            if let key, var scan, let cursor {
                scan.reached = cursor
                kept.keep(scan, for: key)
            }
            return page
        }
    }
}
