import Glibc

extension Descriptor {
    /// The smallest names of this folder in the order of their bytes, after `cursor`, at most `limit`.
    ///
    /// Reads all entries, keeps at most twice `limit` names in memory.
    func names(after cursor: [UInt8]? = nil, limit: Int) throws(SystemFailure) -> [[UInt8]] {
        var page: [[UInt8]] = []
        var last: [UInt8]?  // The largest name that can still be in the page.
        try self.forEachName { name in
            if let cursor, !cursor.lexicographicallyPrecedes(name) { return true }
            if let last, !name.lexicographicallyPrecedes(last) { return true }
            page.append(name)
            if page.count >= limit * 2 {
                page.sort { $0.lexicographicallyPrecedes($1) }
                page.removeSubrange(limit...)
                last = page.last
            }
            return true
        }
        page.sort { $0.lexicographicallyPrecedes($1) }
        return Array(page.prefix(limit))
    }

    /// Names in no order, at most `limit`.
    func anyNames(limit: Int) throws(SystemFailure) -> [[UInt8]] {
        var names: [[UInt8]] = []
        try self.forEachName { name in
            names.append(name)
            return names.count < limit
        }
        return names
    }

    /// Goes on while `body` answers true; `.` and `..` are left out.
    func forEachName(_ body: ([UInt8]) -> Bool) throws(SystemFailure) {
        // A descriptor of its own: the stream owns it, and its position is its own.
        let own = try self.open([UInt8(ascii: ".")], O_RDONLY | O_DIRECTORY)
        let copy = fcntl(own.raw, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .now("fcntl") }
        guard let stream = unsafe fdopendir(copy) else {
            let failure = SystemFailure.now("fdopendir")
            _ = Glibc.close(copy)
            throw failure
        }
        defer { unsafe closedir(stream) }
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                guard errno == 0 else { throw .now("readdir") }
                return
            }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe Array(bytes.prefix { $0 != 0 })
            }
            if name == [UInt8(ascii: ".")] || name == Array("..".utf8) { continue }
            guard body(name) else { return }
        }
    }
}
