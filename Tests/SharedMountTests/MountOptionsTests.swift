import SharedMount
import Testing

/// What of a mount's options is objected to.
@Suite struct MountOptionsTests {
    private static func table(_ type: String, _ options: String, at point: String = "/srv/files") -> String {
        """
        22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
        30 22 0:40 / /srv rw - tmpfs tmpfs rw
        41 30 0:52 / \(point) rw,relatime shared:9 master:2 - \(type) host:/export \(options)
        """
    }

    private static func objections(_ options: String, type: String = "nfs4") -> [MountOptions.Objection] {
        MountOptions(of: "/srv/files/flotilla", in: Self.table(type, options))?.objections ?? []
    }

    @Test func `the innermost mount counts, and the last one at a point`() {
        let table = Self.table("nfs4", "rw,hard")
        #expect(MountOptions(of: "/srv/files", in: table)?.type == "nfs4")
        #expect(MountOptions(of: "/srv/filesystem", in: table)?.type == "tmpfs")
        #expect(MountOptions(of: "/home", in: table)?.type == "ext4")
        let twice = table + "\n42 41 0:53 / /srv/files rw - fuse.glusterfs vm:/v rw,allow_other"
        #expect(MountOptions(of: "/srv/files/x", in: twice)?.type == "fuse.glusterfs")
        let spaced = Self.table("xfs", "rw", at: #"/srv/my\040files"#)
        #expect(MountOptions(of: "/srv/my files/x", in: spaced)?.point == "/srv/my files")
        #expect(MountOptions(of: "/x", in: "nonsense\n1 2 3\n") == nil)
    }

    @Test func `an NFS mount as it should be is fine, and so is what is no NFS`() {
        let good = "rw,vers=4.2,hard,proto=tcp,acregmin=1,acregmax=1,acdirmin=1,acdirmax=1,lookupcache=pos"
        #expect(Self.objections(good).isEmpty)
        #expect(Self.objections("rw,vers=4.1,hard,noac,lookupcache=none").isEmpty)
        #expect(Self.objections("rw,soft", type: "ext4").isEmpty)
    }

    @Test(arguments: ["soft", "softerr"])
    func `a mount that gives up on writes is refused`(option: String) {
        let found = Self.objections("rw,vers=4.2,\(option),noac,lookupcache=none")
        #expect(found.count == 1)
        guard case .refusal(let reason) = found.first else {
            Issue.record("\(found)")
            return
        }
        #expect(reason.contains("“\(option)”"))
    }

    @Test(arguments: ["vers=3", "vers=4.0", "rsize=1"])
    func `an old version is refused`(version: String) {
        guard case .refusal = Self.objections("rw,\(version),hard,noac,lookupcache=none").first else {
            Issue.record("it was not refused")
            return
        }
    }

    @Test func `caches of names and attributes are warned of`() {
        let found = Self.objections("rw,vers=4.2,hard")
        #expect(found.count == 2)
        for objection in found {
            guard case .warning = objection else {
                Issue.record("\(objection)")
                return
            }
        }
    }
}
