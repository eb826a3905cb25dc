import ClusterModel
import ClusterPorts
import Foundation
import Glibc
import NIOCore
import SharedMount
import Testing

@Suite(.serialized) struct HomesTests {
    private let acme = TemporaryMount.acme

    @Test func `a home is made once, or adopted`() async throws {
        try await TemporaryMount.with { mount async throws in
            #expect(try await mount.vault.hasHome(of: self.acme))
            await #expect(throws: VaultError.exists("the home of acme")) {
                try await mount.vault.makeHome(of: self.acme, adopting: false)
            }
            try await mount.vault.makeHome(of: self.acme, adopting: true)
            let other = AccountName("other").unsafelyKnown
            #expect(try await !mount.vault.hasHome(of: other))
            try await mount.vault.makeHome(of: other, adopting: true)
            #expect(try await mount.vault.hasHome(of: other))
        }
    }

    @Test func `links and other things are shown and never followed`() async throws {
        try await TemporaryMount.with { mount async throws in
            let secret = "\(mount.folder)/secret"
            try FileManager.default.createDirectory(atPath: secret, withIntermediateDirectories: true)
            try "secret".write(toFile: "\(secret)/file", atomically: false, encoding: .utf8)
            try FileManager.default.createSymbolicLink(
                atPath: "\(mount.home)/out", withDestinationPath: secret)
            try FileManager.default.createSymbolicLink(
                atPath: "\(mount.home)/up", withDestinationPath: "../../secret/file")
            #expect(mkfifo("\(mount.home)/pipe", 0o600) == 0)
            let vault = mount.vault
            #expect(try await vault.status(of: HomePath("out"), in: self.acme)?.kind == .link)
            #expect(try await vault.status(of: HomePath("pipe"), in: self.acme)?.kind == .other)
            await #expect(throws: VaultError.forbidden("/out/file")) {
                try await vault.status(of: HomePath("out/file"), in: self.acme)
            }
            for name in ["out/file", "up", "out"] {
                await #expect(throws: VaultError.forbidden("/\(name)")) {
                    try await vault.open(HomePath(name), in: self.acme)
                }
            }
            await #expect(throws: VaultError.notAFile("/pipe")) {
                try await vault.open(HomePath("pipe"), in: self.acme)
            }
            await #expect(throws: VaultError.notAFile("/")) { try await vault.open(.home, in: self.acme) }
            await #expect(throws: VaultError.forbidden("/out")) {
                try await vault.list(HomePath("out"), in: self.acme, after: nil, limit: 10)
            }
            await #expect(throws: VaultError.forbidden("/out/new")) {
                try await vault.makeFolders(HomePath("out/new"), in: self.acme)
            }
            await #expect(throws: VaultError.notAFolder("/pipe/new")) {
                try await vault.makeFolders(HomePath("pipe/new"), in: self.acme)
            }
            let entries = try await vault.list(.home, in: self.acme, after: nil, limit: 10)
            #expect(entries.map(\.status.kind) == [.link, .other, .link])
            #expect(try FileManager.default.contentsOfDirectory(atPath: secret) == ["file"])
        }
    }

    @Test func `nothing stands below a file or a missing folder`() async throws {
        try await TemporaryMount.with { mount async throws in
            try await mount.put("x", at: "file")
            for name in ["missing", "missing/below", "file/below"] {
                #expect(try await mount.vault.status(of: HomePath(name), in: self.acme) == nil)
            }
            await #expect(throws: VaultError.notFound("/missing")) {
                try await mount.vault.open(HomePath("missing"), in: self.acme)
            }
            await #expect(throws: VaultError.notAFolder("/file")) {
                try await mount.vault.list(HomePath("file"), in: self.acme, after: nil, limit: 1)
            }
        }
    }

    @Test func `the longest names and paths work, and names of any bytes`() async throws {
        try await TemporaryMount.with { mount async throws in
            let strange: [[UInt8]] = [
                Array(repeating: UInt8(ascii: "n"), count: 255), [0xFF, 0xFE, 0x20], Array("~%2F".utf8),
                Array(" ".utf8),
            ]
            for name in strange {
                let path = try HomePath.home.appending(name)
                let sealed = try await mount.sealed("x")
                _ = try await mount.vault.publish(sealed.staged, as: path, in: self.acme, replacing: false)
                let file = try await mount.vault.open(path, in: self.acme)
                #expect(try await file.read(from: 0, count: 10) == ByteBuffer(string: "x"))
                await file.close()
            }
            let listed = try await mount.vault.list(.home, in: self.acme, after: nil, limit: 10).map(\.name)
            #expect(listed == strange.sorted { $0.lexicographicallyPrecedes($1) })
            for name in strange {
                let path = try HomePath.home.appending(name)
                let identity = try #require(try await mount.vault.status(of: path, in: self.acme)).identity
                #expect(
                    try await mount.vault.remove(path, in: self.acme, identity: identity, operation: UUID())
                        == .moved)
            }
            #expect(try await mount.vault.emptyTrash(limit: 100) >= strange.count)
            #expect(throws: HomePath.Fault.self) { try HomePath(String(repeating: "n", count: 256)) }
            #expect(throws: HomePath.Fault.self) { try HomePath("a/../b") }
            // 4,095 bytes: 15 names of 255, one of 254, and slashes.
            let longest = try HomePath(
                (Array(repeating: String(repeating: "p", count: 255), count: 15) + [
                    String(repeating: "q", count: 255)
                ]).joined(separator: "/"))
            #expect(longest.bytes.count == 4_095)
            let staged = try await mount.sealed("deep").staged
            #expect(
                try await mount.vault.publish(staged, as: longest, in: self.acme, replacing: true)
                    == .published)
            #expect(try await mount.vault.status(of: longest, in: self.acme)?.identity == staged.identity)
            let outcome = try await mount.vault.remove(
                longest, in: self.acme, identity: staged.identity, operation: UUID())
            #expect(outcome == .moved)
            #expect(try await mount.vault.emptyTrash(limit: 100) >= 1)
        }
    }

    @Test func `ten thousand entries come in pages, in the order of their bytes`() async throws {
        try await TemporaryMount.with { mount async throws in
            var names = (0..<10_000).map { "file-\(String($0, radix: 36))" }
            for name in names.shuffled() {
                let fd = Glibc.open("\(mount.home)/\(name)", O_WRONLY | O_CREAT, 0o640)
                #expect(fd >= 0)
                Glibc.close(fd)
            }
            names.sort { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
            for limit in [999, 5_000, 20_000] {
                var found: [String] = []
                var cursor: [UInt8]?
                while true {
                    let page = try await mount.vault.list(.home, in: self.acme, after: cursor, limit: limit)
                    #expect(page.count <= limit)
                    found += page.map { String(decoding: $0.name, as: UTF8.self) }
                    cursor = page.last?.name ?? cursor
                    if page.count < limit { break }
                }
                #expect(found == names)
            }
            #expect(try await mount.vault.list(.home, in: self.acme, after: nil, limit: 0).isEmpty)
        }
    }

    @Test func `a reader keeps the file it opened, and entity tags change with content`() async throws {
        try await TemporaryMount.with { mount async throws in
            try await mount.put("old text", at: "a")
            let file = try await mount.vault.open(HomePath("a"), in: self.acme)
            try await mount.put("new", at: "a")
            #expect(try await file.read(from: 4, count: 100) == ByteBuffer(string: "text"))
            #expect(try await file.read(from: 8, count: 100).readableBytes == 0)
            let now = try await mount.vault.status(of: HomePath("a"), in: self.acme)
            #expect(now?.entityTag != file.status.entityTag)
            await file.close()
            await file.close()
            await #expect(throws: VaultError.self) { try await file.read(from: 0, count: 1) }
        }
    }
}

/// What is answered from memory alone.
@Suite(.serialized) struct ReadyFileTests {
    private let acme = TemporaryMount.acme

    @Test func `what lies in memory is opened and read on the spot`() async throws {
        try await TemporaryMount.with { mount async throws in
            let long = Data((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 13) })
            _ = FileManager.default.createFile(atPath: "\(mount.home)/short", contents: Data("short".utf8))
            _ = FileManager.default.createFile(atPath: "\(mount.home)/long", contents: long)
            _ = FileManager.default.createFile(atPath: "\(mount.home)/none", contents: Data())
            try FileManager.default.createSymbolicLink(
                atPath: "\(mount.home)/link", withDestinationPath: "short")
            // The first look opens the root.
            _ = try await mount.vault.status(of: HomePath("short"), in: self.acme)
            func ready(_ path: String) throws -> (any OpenedFile)? {
                mount.vault.openReady(try HomePath(path), in: self.acme)
            }
            let short = try #require(try ready("short"))
            #expect(short.readyPiece(from: 1, count: 3).map(Self.bytes) == Array("hor".utf8))
            #expect(try ready("none")?.status.size == 0)
            let opened = try #require(try ready("long"))
            let piece = try #require(opened.readyPiece(from: 100_000, count: 200_000))
            guard case .region(let region) = piece else {
                Issue.record("a long file came as bytes")
                return
            }
            #expect(region.readerIndex == 100_000 && region.endIndex == 300_000)
            #expect(opened.readyPiece(from: 299_999, count: 2) == nil)
            let shown = try await mount.vault.status(of: HomePath("long"), in: self.acme)
            #expect(opened.status.entityTag == shown?.entityTag)
            opened.closeSoon()
            #expect(opened.readyPiece(from: 0, count: 1) == nil)
            for name in ["missing", "link", "short/below"] { #expect(try ready(name) == nil, "\(name)") }
        }
    }

    @Test func `an unopened root and a folder are for the long way`() async throws {
        try await TemporaryMount.with { mount async throws in
            _ = FileManager.default.createFile(atPath: "\(mount.home)/x", contents: Data("x".utf8))
            try FileManager.default.createDirectory(
                atPath: "\(mount.home)/folder", withIntermediateDirectories: false)
            let other = PosixVault(root: mount.folder)
            #expect(other.openReady(try HomePath("x"), in: self.acme) == nil)
            #expect(mount.vault.openReady(try HomePath("folder"), in: self.acme) == nil)
            await other.shutDown()
        }
    }

    private static func bytes(_ piece: FilePiece) -> [UInt8] {
        if case .bytes(let bytes) = piece { return Array(buffer: bytes) }
        return []
    }
}
