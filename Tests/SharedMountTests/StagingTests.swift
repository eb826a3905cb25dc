import ClusterModel
import ClusterPorts
import Crypto
import Foundation
import Glibc
import NIOCore
import SharedMount
import Testing

@Suite(.serialized) struct StagingTests {
    @Test(arguments: [
        [0], [1], [10, 20, 30], [262_143, 1, 1], [300_000, 5, 9_000_000], [700, 262_144, 3],
    ])
    func `what is appended is what is there, with its digest`(_ sizes: [Int]) async throws {
        try await TemporaryMount.with { mount async throws in
            let file = try await mount.vault.stage(UUID(), for: TemporaryMount.first)
            var all: [UInt8] = []
            for size in sizes {
                let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ size) }
                all += bytes
                #expect(try await file.append(ByteBuffer(bytes: bytes)) == Int64(all.count))
            }
            let sealed = try await file.seal()
            #expect(sealed.size == Int64(all.count))
            #expect(sealed.digest == Digest(Array(SHA256.hash(data: all))))
            let path = "\(mount.folder)/.flotilla/staging/\(sealed.staged.name)"
            #expect(FileManager.default.contents(atPath: path) == Data(all))
            var status = stat()
            #expect(stat(path, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o640)
            #expect(status.st_ino == sealed.staged.identity.inode)
        }
    }

    @Test func `rights do not depend on the umask`() async throws {
        let old = umask(0o077)
        defer { _ = umask(old) }
        try await TemporaryMount.with { mount async throws in
            try await mount.put("x", at: "new/a")
            var status = stat()
            #expect(stat("\(mount.home)/new/a", &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o640)
            #expect(stat("\(mount.home)/new", &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o2770)
            #expect(stat(mount.home, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o2770)
        }
    }

    @Test func `a sealed or discarded file takes nothing more`() async throws {
        try await TemporaryMount.with { mount async throws in
            let file = try await mount.vault.stage(UUID(), for: TemporaryMount.first)
            _ = try await file.seal()
            await #expect(throws: VaultError.self) { try await file.append(ByteBuffer(string: "x")) }
            await #expect(throws: VaultError.self) { try await file.seal() }
            let other = try await mount.vault.stage(UUID(), for: TemporaryMount.first)
            await other.discard()
            await other.discard()
            await #expect(throws: VaultError.self) { try await other.append(ByteBuffer(string: "x")) }
            #expect(try await mount.vault.staged(of: TemporaryMount.first) == [file.name])
        }
    }

    @Test func `staging of an incarnation is listed, emptied and removed`() async throws {
        try await TemporaryMount.with { mount async throws in
            let sealed = try await mount.sealed("x")
            let folder = try await mount.vault.stageFolder(UUID(), for: TemporaryMount.first)
            let names = try await mount.vault.staged(of: TemporaryMount.first)
            #expect(Set(names) == [sealed.staged.name, folder.name])
            #expect(try await !mount.vault.removeStaging(of: TemporaryMount.first))
            for name in names + names { try await mount.vault.discard(name) }
            #expect(try await mount.vault.removeStaging(of: TemporaryMount.first))
            #expect(try await mount.vault.removeStaging(of: TemporaryMount.first))
            #expect(try await mount.vault.staged(of: TemporaryMount.first).isEmpty)
            // A node whose staging was reclaimed is dead to the others.
            await #expect(throws: VaultError.self) {
                try await mount.vault.stage(UUID(), for: TemporaryMount.first)
            }
        }
    }

    /// Programs that know no segments take away whatever lies unnamed in `i1`.
    @Test func `segments lie where older programs do not look, and can be published from there`() async throws
    {
        try await TemporaryMount.with { mount async throws in
            let segment = try await mount.vault.makeSegment(UploadID(UUID()), for: TemporaryMount.first)
            try await segment.write(ByteBuffer(string: "abc"), at: 0)
            try await segment.sync()
            #expect(mount.names(below: ".flotilla/staging/i1").isEmpty)
            #expect(mount.names(below: ".flotilla/staging/u1") == [segment.name.file])
            #expect(segment.name.file.hasPrefix("."))
            try FileManager.default.removeItem(atPath: "\(mount.folder)/.flotilla/staging/i1")
            #expect(try await mount.vault.stagingIncarnations() == [TemporaryMount.first])
            #expect(try await mount.vault.staged(of: TemporaryMount.first) == [segment.name])
            #expect(try await !mount.vault.removeStaging(of: TemporaryMount.first))
            let staged = try await segment.seal(size: 3)
            segment.close()
            let published = try await mount.vault.publish(
                staged, as: try HomePath("a"), in: TemporaryMount.acme, replacing: false)
            #expect(published == .published)
            #expect(try await mount.vault.removeStaging(of: TemporaryMount.first))
            #expect(try await mount.vault.stagingIncarnations().isEmpty)
            await #expect(throws: VaultError.self) {
                try await mount.vault.makeSegment(UploadID(UUID()), for: TemporaryMount.first)
            }
        }
    }

    @Test(arguments: ["../i1/x", "..", "", "a/b", ".", "..a", "./a", ".a/b"])
    func `a staged name that is a path is refused`(_ file: String) async throws {
        try await TemporaryMount.with { mount async throws in
            let name = StagedName(incarnation: TemporaryMount.first, file: file)
            await #expect(throws: VaultError.self) { try await mount.vault.discard(name) }
        }
    }

    @Test func `a file that is forgotten leaves no descriptor and no name`() async throws {
        try await TemporaryMount.with { mount async throws in
            try await mount.put("content", at: "a")
            let before = Machine.openDescriptors()
            for _ in 0..<50 {
                let file = try await mount.vault.stage(UUID(), for: TemporaryMount.first)
                _ = try await file.append(ByteBuffer(repeating: 7, count: 300_000))
                _ = try await mount.vault.open(HomePath("a"), in: TemporaryMount.acme).read(
                    from: 0, count: 10)
                _ = try? await mount.vault.open(HomePath("missing"), in: TemporaryMount.acme)
                _ = try await mount.vault.list(.home, in: TemporaryMount.acme, after: nil, limit: 10)
                try await mount.put("again", at: "b/c/d")
                let status = try await mount.vault.status(of: HomePath("b/c/d"), in: TemporaryMount.acme)
                _ = try await mount.vault.remove(
                    HomePath("b/c/d"), in: TemporaryMount.acme, identity: #require(status).identity,
                    operation: UUID())
            }
            _ = try await mount.vault.emptyTrash(limit: 1_000)
            await Machine.eventually("descriptors leak") { Machine.openDescriptors() <= before }
            await Machine.eventually("staging leaks") { mount.names(below: ".flotilla/staging/i1").isEmpty }
        }
    }

    @Test func `more waiting calls than allowed are refused, not queued`() async throws {
        var options = PosixVault.Options()
        options.threads = 1
        options.waitingMax = 4
        try await TemporaryMount.with(options: options) { mount async throws in
            let refused = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<200 {
                    group.addTask {
                        do {
                            _ = try await mount.vault.identity()
                            return false
                        } catch {
                            if case .hanging? = error as? VaultError { return true }
                            Issue.record(error)
                            return false
                        }
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(refused < 200)
            #expect(try await mount.vault.identity() == mount.identity)
        }
    }
}
