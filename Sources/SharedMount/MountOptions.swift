/// How a file system is mounted, and what of that is not safe for a shared mount (docs/mount.md).
package struct MountOptions: Sendable, Hashable {
    /// As the kernel calls it: `nfs4`, `ext4`, `fuse.glusterfs`.
    package var type: String
    package var point: String
    /// Of the mount and of the file system; the value is empty where there is none.
    package var options: [String: String]

    /// Something that loses or hides files, or may.
    package enum Objection: Sendable, Hashable {
        /// A node must not start on it.
        case refusal(String)
        /// Worth a warning.
        case warning(String)
    }

    /// The mount that a path lies on, from the text of `/proc/self/mountinfo`; nil when there is none.
    ///
    /// - Parameter path: absolute, without links.
    package init?(of path: String, in table: String) {
        var found: MountOptions?
        // Of two at one point the later one covers the other.
        for line in table.split(separator: "\n") {
            guard let mount = MountOptions(line: line), mount.covers(path) else { continue }
            if let other = found, other.point.utf8.count > mount.point.utf8.count { continue }
            found = mount
        }
        guard let found else { return nil }
        self = found
    }

    /// `36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/sda rw,errors=continue`, as proc(5) has it.
    private init?(line: Substring) {
        let words = line.split(separator: " ")
        guard words.count >= 10, let dash = words.firstIndex(of: "-"), dash >= 6, dash + 3 < words.count
        else {
            return nil
        }
        self.point = Self.unescaped(words[4])
        self.type = String(words[dash + 1])
        self.options = [:]
        for option in words[5].split(separator: ",") + words[dash + 3].split(separator: ",") {
            let sides = option.split(separator: "=", maxSplits: 1)
            guard let name = sides.first else { continue }
            self.options[String(name)] = sides.count > 1 ? String(sides[1]) : ""
        }
    }

    private func covers(_ path: String) -> Bool {
        self.point == "/" || path == self.point || path.hasPrefix(self.point + "/")
    }

    /// Spaces and the like are written as a backslash and three octal digits.
    private static func unescaped(_ word: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(word.utf8)[...]
        while let first = rest.popFirst() {
            guard first == UInt8(ascii: "\\"), rest.count >= 3,
                let byte = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            else {
                bytes.append(first)
                continue
            }
            bytes.append(byte)
            rest = rest.dropFirst(3)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: - What is wrong with it

    package var objections: [Objection] {
        self.type == "nfs" || self.type == "nfs4" ? self.objectionsToNFS : []
    }

    private var objectionsToNFS: [Objection] {
        var found: [Objection] = []
        for name in ["soft", "softerr"] where self.options[name] != nil {
            found.append(
                .refusal("it is mounted with “\(name)”, which loses writes silently; it must be “hard”"))
        }
        let version = self.options["vers"] ?? "of an unknown number"
        if !["4.1", "4.2"].contains(version) {
            found.append(.refusal("its NFS version is \(version); it must be 4.1 or 4.2"))
        }
        if !["none", "pos", "positive"].contains(self.options["lookupcache"] ?? "all") {
            found.append(
                .warning(
                    "it remembers missing names: mount it with lookupcache=positive, or files may be hidden"))
        }
        if let longest = self.longestMemory, longest > 1 {
            found.append(
                .warning("it remembers attributes for up to \(longest) s: mount it with actimeo=1 or noac"))
        }
        return found
    }

    /// Of attributes, in seconds; nil when none are remembered.
    ///
    /// The kernel shows only what is not its default.
    private var longestMemory: Int? {
        if self.options["noac"] != nil { return nil }
        return ["acregmax", "acdirmax"].map { Int(self.options[$0] ?? "") ?? 60 }.max()
    }
}
