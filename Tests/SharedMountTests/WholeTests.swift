import ClusterModel
import ClusterPorts
import Crypto
import Foundation
import NIOCore
import SharedMount
import Testing

/// What one call of the mount does for a small file, and what is seen of a staged file before it is whole.
@Suite(.serialized) struct WholeTests {
    private func whole(_ path: String, _ texts: [String]) throws -> WholeFile {
        WholeFile(
            operation: UUID(), path: try HomePath(path), account: TemporaryMount.acme,
            pieces: texts.map { ByteBuffer(string: $0) })
    }

    @Test func `one call looks, stages and makes durable`() async throws {
        try await TemporaryMount.with { mount async throws in
            try await mount.put("old", at: "a")
            for (path, isThere) in [("a", true), ("b", false)] {
                let seen = try await mount.vault.status(of: HomePath(path), in: TemporaryMount.acme)
                let staging = try await mount.vault.stageWhole(
                    self.whole(path, ["one ", "", "two"]), for: TemporaryMount.first
                ) { look in look.found != seen || look.parent?.kind != .folder }
                #expect((staging.look.found != nil) == isThere)
                let sealed = try #require(staging.sealed)
                #expect(sealed.size == 7)
                #expect(sealed.digest == Digest(Array(SHA256.hash(data: Array("one two".utf8)))))
                let shown = try await mount.vault.show(
                    sealed.staged, as: HomePath(path), in: TemporaryMount.acme, replacing: true)
                #expect(shown.outcome == .published)
                #expect(mount.text(at: path) == "one two")
                let status = try await mount.vault.status(of: HomePath(path), in: TemporaryMount.acme)
                #expect(shown.status != nil && shown.status == status)
            }
        }
    }

    @Test func `what is objected to is not staged`() async throws {
        try await TemporaryMount.with { mount async throws in
            let files = FileManager.default
            try files.createDirectory(atPath: "\(mount.home)/folder", withIntermediateDirectories: true)
            try files.createSymbolicLink(atPath: "\(mount.home)/link", withDestinationPath: "folder")
            try await mount.put("x", at: "file")
            let looks: [(String, FileStatus.Kind?, FileStatus.Kind?)] = [
                ("folder", .folder, nil), ("link", .link, nil), ("file", .file, nil), ("new", nil, .folder),
                ("folder/new", nil, .folder), ("missing/new", nil, nil), ("file/new", nil, .file),
            ]
            for (path, found, parent) in looks {
                let staging = try await mount.vault.stageWhole(
                    self.whole(path, ["x"]), for: TemporaryMount.first
                ) { _ in true }
                #expect(staging.sealed == nil)
                #expect(staging.look.found?.kind == found, "\(path)")
                if found == nil { #expect(staging.look.parent?.kind == parent, "\(path)") }
                let begun = try await mount.vault.begin(
                    UUID(), for: TemporaryMount.first, at: HomePath(path), in: TemporaryMount.acme
                ) { _ in true }
                #expect(begun.file == nil && begun.look == staging.look)
            }
            #expect(mount.names(below: ".flotilla/staging/i1").isEmpty)
            // A link on the way is an error, as ever.
            await #expect(throws: VaultError.self) {
                try await mount.vault.stageWhole(self.whole("link/new/x", ["x"]), for: TemporaryMount.first) {
                    _ in false
                }
            }
        }
    }

    /// On a disk of this machine, as where tests run.
    @Test func `a staged file has a name when it is whole, and a dead node leaves nothing of it before`()
        async throws
    {
        try await TemporaryMount.with { mount async throws in
            let file = try await mount.vault.stage(UUID(), for: TemporaryMount.first)
            _ = try await file.append(ByteBuffer(repeating: 1, count: 1_000))
            #expect(try await mount.vault.staged(of: TemporaryMount.first).isEmpty)
            let sealed = try await file.seal([ByteBuffer(repeating: 2, count: 10)])
            #expect(sealed.size == 1_010)
            #expect(try await mount.vault.staged(of: TemporaryMount.first) == [file.name])
            // What is sealed can be taken away by its name.
            try await mount.vault.discard(file.name)
            #expect(try await mount.vault.staged(of: TemporaryMount.first).isEmpty)
        }
    }

    @Test func `a node whose staging was reclaimed meanwhile cannot seal`() async throws {
        try await TemporaryMount.with { mount async throws in
            let file = try await mount.vault.stage(UUID(), for: TemporaryMount.first)
            _ = try await file.append(ByteBuffer(string: "late"))
            #expect(try await mount.vault.removeStaging(of: TemporaryMount.first))
            await #expect(throws: VaultError.self) { try await file.seal() }
            await file.discard()
            await #expect(throws: VaultError.self) {
                try await mount.vault.stageWhole(self.whole("a", ["late"]), for: TemporaryMount.first) { _ in
                    false
                }
            }
        }
    }

    @Test func `without cradles files are staged all the same`() async throws {
        try await TemporaryMount.with { mount async throws in
            try? FileManager.default.removeItem(atPath: "\(mount.folder)/.flotilla/cradles")
            try await mount.put("before they were opened", at: "a")
            #expect(mount.text(at: "a") == "before they were opened")
        }
        try await TemporaryMount.with { mount async throws in
            try await mount.put("x", at: "a")
            try? FileManager.default.removeItem(atPath: "\(mount.folder)/.flotilla/cradles")
            try await mount.put("after they were opened", at: "a")
            #expect(mount.text(at: "a") == "after they were opened")
        }
    }

    @Test func `many more calls than threads all end, and so do the threads`() async throws {
        var options = PosixVault.Options()
        options.threads = 3
        try await TemporaryMount.with(options: options) { mount async throws in
            let vault = mount.vault
            for _ in 0..<20 {
                let answers = try await withThrowingTaskGroup(of: Bool.self) { group in
                    for _ in 0..<200 {
                        group.addTask { try await vault.hasHome(of: TemporaryMount.acme) }
                    }
                    return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
                }
                #expect(answers == 200)
            }
            await vault.shutDown()
            await #expect(throws: VaultError.self) { try await vault.hasHome(of: TemporaryMount.acme) }
        }
    }
}
