import Glibc

extension Descriptor {
    /// The smallest names of this folder in the order of their bytes, after `cursor`, at most `limit`.
    ///
    /// Reads all entries, keeps at most twice `limit` names in memory.
    func names(after cursor: [UInt8]? = nil, limit: Int) throws(SystemFailure) -> NameTable {
        var table = NameTable(after: cursor, limit: limit)
        var reader = try FolderReader(self, buffer: 128 << 10)
        try unsafe reader.eachName { name in
            unsafe table.offer(name)
            return true
        }
        table.finish()
        return table
    }

    /// Names in no order, at most `limit`.
    func anyNames(limit: Int) throws(SystemFailure) -> [[UInt8]] {
        var names: [[UInt8]] = []
        var reader = try FolderReader(self)
        while names.count < limit, let name = try reader.next() { names.append(name) }
        return names
    }
}
