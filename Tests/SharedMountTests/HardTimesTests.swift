import ClusterModel
import ClusterPorts
import Foundation
import Glibc
import NIOCore
import SharedMount
import Testing

/// File systems that are full, read-only or gone.
///
/// Mounting needs root.
@Suite(.serialized, .enabled(if: Machine.isRoot, "mounting a file system needs root"))
struct HardTimesTests {
    private let acme = TemporaryMount.acme

    private func withFileSystem(_ body: (TemporaryMount) async throws -> Void) async throws {
        let folder = TemporaryMount.freshFolder()
        try #require(
            mount("tmpfs", folder, "tmpfs", 0, "size=1m") == 0, "tmpfs cannot be mounted: errno \(errno)")
        var failure: (any Error)?
        do {
            let mount = try await TemporaryMount(in: folder)
            do { try await body(mount) } catch { failure = error }
            await mount.vault.shutDown()
        } catch {
            failure = failure ?? error
        }
        umount2(folder, Int32(MNT_DETACH))
        try? FileManager.default.removeItem(atPath: folder)
        if let failure { throw failure }
    }

    @Test func `a full file system is said to be full, and the old version stays`() async throws {
        try await self.withFileSystem { mount async throws in
            try await mount.put("old", at: "a")
            let file = try await mount.vault.stage(UUID(), for: TemporaryMount.first)
            await #expect(throws: VaultError.full("staging \(file.name)")) {
                for _ in 0..<8 { _ = try await file.append(ByteBuffer(repeating: 1, count: 300_000)) }
                _ = try await file.seal()
            }
            await #expect(throws: VaultError.self) { try await file.seal() }
            await file.discard()
            #expect(mount.text(at: "a") == "old")
            #expect(mount.names(below: ".flotilla/staging/i1").isEmpty)
            // The room is free when the last thread has let the file go.
            let folder = mount.folder
            await Machine.eventually("room for a new one") {
                var status = statvfs()
                return statvfs(folder, &status) == 0 && status.f_bfree > status.f_blocks / 2
            }
            try await mount.put("new", at: "a")
        }
    }

    /// As many files and folders as there are now, and no more.
    private func fill(_ mount: TemporaryMount) throws {
        var status = statvfs()
        try #require(statvfs(mount.folder, &status) == 0)
        let noMore = "size=1m,nr_inodes=\(status.f_files - status.f_ffree)"
        try #require(Glibc.mount("tmpfs", mount.folder, "tmpfs", UInt(MS_REMOUNT), noMore) == 0)
    }

    @Test func `what was removed from a full file system makes room, as often as it is filled again`()
        async throws
    {
        try await self.withFileSystem { mount async throws in
            for turn in 0..<3 {
                let identity = try await mount.put("old \(turn)", at: "a")
                try self.fill(mount)
                await #expect(throws: VaultError.full("/b")) {
                    try await mount.vault.makeFolders(HomePath("b"), in: self.acme)
                }
                let removed = try await mount.vault.remove(
                    HomePath("a"), in: self.acme, identity: identity, operation: UUID())
                #expect(removed == .moved)
                #expect(try await mount.vault.emptyTrash(limit: 100) == 1)
                #expect(mount.names(below: ".flotilla/trash").isEmpty)
            }
        }
    }

    @Test func `a node starts on a full file system, by whom something can be removed from it`() async throws
    {
        try await self.withFileSystem { mount async throws in
            let identity = try await mount.put("old", at: "a")
            try self.fill(mount)
            #expect(try await mount.vault.note(Incarnation(rawValue: 2).unsafelyKnown))
            // What there was is used up, until something was removed.
            await #expect(throws: VaultError.self) {
                try await mount.vault.note(Incarnation(rawValue: 3).unsafelyKnown)
            }
            let removed = try await mount.vault.remove(
                HomePath("a"), in: self.acme, identity: identity, operation: UUID())
            #expect(removed == .moved)
            #expect(try await mount.vault.emptyTrash(limit: 100) == 1)
        }
    }

    @Test func `a call that died while it emptied the trash of a full file system is gone on with`()
        async throws
    {
        try await self.withFileSystem { mount async throws in
            let identities = try await [mount.put("a", at: "a"), mount.put("b", at: "b")]
            try self.fill(mount)
            for (name, identity) in zip(["a", "b"], identities) {
                let removed = try await mount.vault.remove(
                    HomePath(bytes: Array(name.utf8)), in: self.acme, identity: identity, operation: UUID())
                #expect(removed == .moved)
            }
            // It had taken the spare folder, and moved one entry there.
            let own = "\(mount.folder)/.flotilla"
            let taken = "\(own)/trash/~0123456789abcdef"
            let entry = try #require(mount.names(below: ".flotilla/trash").first)
            try FileManager.default.moveItem(atPath: "\(own)/spare", toPath: taken)
            try FileManager.default.moveItem(atPath: "\(own)/trash/\(entry)", toPath: "\(taken)/\(entry)")
            #expect(try await mount.vault.emptyTrash(limit: 100) == 2)
            #expect(mount.names(below: ".flotilla/trash").isEmpty)
            #expect(FileManager.default.fileExists(atPath: "\(own)/spare"))
        }
    }

    @Test func `a read-only file system is said to be read-only`() async throws {
        try await self.withFileSystem { mount async throws in
            try await mount.put("old", at: "a")
            let staged = try await mount.sealed("new").staged
            let remount = UInt(MS_REMOUNT | MS_RDONLY)
            // Busy as long as a thread still holds the descriptor of what was sealed.
            await Machine.eventually("cannot be mounted read-only") {
                Glibc.mount("tmpfs", mount.folder, "tmpfs", remount, nil) == 0
            }
            await #expect(throws: VaultError.readOnly("/a")) {
                try await mount.vault.publish(staged, as: HomePath("a"), in: self.acme, replacing: true)
            }
            await #expect(throws: VaultError.readOnly("/b")) {
                try await mount.vault.makeFolders(HomePath("b"), in: self.acme)
            }
            await #expect(throws: VaultError.readOnly(".flotilla/probe")) {
                try await mount.vault.probe(expecting: mount.identity, within: .seconds(10))
            }
            do {
                _ = try await mount.vault.stage(UUID(), for: TemporaryMount.first)
                Issue.record("staged on a read-only file system")
            } catch let error as VaultError {
                guard case .readOnly = error else { throw error }
            }
            #expect(mount.text(at: "a") == "old")
        }
    }

    @Test func `an unmounted mount point is foreign, and nothing is written into it`() async throws {
        try await self.withFileSystem { mount async throws in
            try await mount.put("x", at: "a")
            try #require(umount2(mount.folder, Int32(MNT_DETACH)) == 0)
            do {
                try await mount.vault.probe(expecting: mount.identity, within: .seconds(10))
                Issue.record("an unmounted mount point passed the probe")
            } catch let error as VaultError {
                guard case .foreign = error else { throw error }
            }
            do {
                try await mount.put("lost", at: "b")
                Issue.record("written to an unmounted mount point")
            } catch let error as VaultError {
                guard case .foreign = error else { throw error }
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: mount.folder).isEmpty)
        }
    }

    @Test func `the same mount under another device is taken up by the next probe`() async throws {
        let (disk, seen) = (TemporaryMount.freshFolder(), TemporaryMount.freshFolder())
        try #require(Glibc.mount("tmpfs", disk, "tmpfs", 0, "size=1m") == 0)
        let mount = try await TemporaryMount(in: disk)
        let vault = PosixVault(root: seen)
        try await { () async throws in
            #expect(try await vault.identity() == nil)
            try #require(Glibc.mount(disk, seen, nil, UInt(MS_BIND), nil) == 0)
            try await vault.probe(expecting: mount.identity, within: .seconds(10))
            #expect(try await vault.hasHome(of: self.acme))
        }()
        await vault.shutDown()
        await mount.vault.shutDown()
        for folder in [seen, disk] {
            umount2(folder, Int32(MNT_DETACH))
            try? FileManager.default.removeItem(atPath: folder)
        }
    }
}
