import ClusterModel
import ClusterPorts
import Foundation
import SharedMount
import Testing

/// Every rename, with and without renames of the kernel that cannot replace.
@Suite(.serialized) struct PublishTests {
    static func options(emulating: Bool) -> PosixVault.Options {
        var options = PosixVault.Options()
        options.emulatesExclusiveRename = emulating
        return options
    }

    @Test(arguments: [false, true])
    func `publishing replaces, or does not, and can be done again`(_ emulating: Bool) async throws {
        try await TemporaryMount.with(options: Self.options(emulating: emulating)) { mount async throws in
            let path = try HomePath("a/b/file")
            let first = try await mount.sealed("first").staged
            let second = try await mount.sealed("second").staged
            let vault = mount.vault
            #expect(
                try await vault.publish(first, as: path, in: TemporaryMount.acme, replacing: false)
                    == .published)
            #expect(
                try await vault.publish(first, as: path, in: TemporaryMount.acme, replacing: false)
                    == .published)
            #expect(mount.text(at: "a/b/file") == "first")
            let refused = try await vault.publish(second, as: path, in: TemporaryMount.acme, replacing: false)
            #expect(refused == .blocked(by: .file))
            #expect(mount.text(at: "a/b/file") == "first")
            #expect(
                try await vault.publish(second, as: path, in: TemporaryMount.acme, replacing: true)
                    == .published)
            #expect(
                try await vault.publish(second, as: path, in: TemporaryMount.acme, replacing: true)
                    == .published)
            #expect(mount.text(at: "a/b/file") == "second")
            // A zombie comes late with the first.
            #expect(
                try await vault.publish(first, as: path, in: TemporaryMount.acme, replacing: true)
                    == .superseded)
            #expect(mount.text(at: "a/b/file") == "second")
            #expect(mount.names(below: ".flotilla/staging/i1").isEmpty)
        }
    }

    @Test func `a late publication of a removed file makes neither file nor folders`() async throws {
        try await TemporaryMount.with { mount async throws in
            let staged = try await mount.sealed("x").staged
            let path = try HomePath("a/b/file")
            _ = try await mount.vault.publish(staged, as: path, in: TemporaryMount.acme, replacing: true)
            try FileManager.default.removeItem(atPath: "\(mount.home)/a")
            let late = try await mount.vault.publish(
                staged, as: path, in: TemporaryMount.acme, replacing: true)
            #expect(late == .superseded)
            #expect(mount.names(below: "homes/acme").isEmpty)
        }
    }

    @Test(arguments: [false, true])
    func `what stands in the way blocks and stays`(_ emulating: Bool) async throws {
        try await TemporaryMount.with(options: Self.options(emulating: emulating)) { mount async throws in
            let files = FileManager.default
            try files.createDirectory(atPath: "\(mount.home)/folder", withIntermediateDirectories: true)
            try files.createSymbolicLink(atPath: "\(mount.home)/link", withDestinationPath: "folder")
            try await mount.put("x", at: "file")
            #expect(mkfifo("\(mount.home)/pipe", 0o600) == 0)
            let cases: [(String, FileStatus.Kind)] = [
                ("folder", .folder), ("link", .link), ("pipe", .other), ("file/below", .file),
                ("link/below", .link),
                ("", .folder),
            ]
            for (name, kind) in cases {
                for replacing in [true, false] {
                    let staged = try await mount.sealed("new").staged
                    let outcome = try await mount.vault.publish(
                        staged, as: HomePath(name), in: TemporaryMount.acme, replacing: replacing)
                    #expect(outcome == .blocked(by: kind), "\(name)")
                    #expect(mount.names(below: ".flotilla/staging/i1") == [staged.name.file])
                    try await mount.vault.discard(staged.name)
                }
            }
            #expect(mount.names(below: "homes/acme") == ["file", "folder", "link", "pipe"])
            #expect(mount.names(below: "homes/acme/folder").isEmpty)
        }
    }

    @Test(arguments: [false, true])
    func `a staged folder is published once and replaces nothing`(_ emulating: Bool) async throws {
        try await TemporaryMount.with(options: Self.options(emulating: emulating)) { mount async throws in
            let path = try HomePath("new")
            let folder = try await mount.vault.stageFolder(UUID(), for: TemporaryMount.first)
            for _ in 0..<2 {
                let outcome = try await mount.vault.publish(
                    folder, as: path, in: TemporaryMount.acme, replacing: false)
                #expect(outcome == .published)
            }
            let other = try await mount.vault.stageFolder(UUID(), for: TemporaryMount.first)
            let outcome = try await mount.vault.publish(
                other, as: path, in: TemporaryMount.acme, replacing: true)
            #expect(outcome == .blocked(by: .folder))
        }
    }

    @Test func `a staged file that was written to after it was sealed is not published`() async throws {
        try await TemporaryMount.with { mount async throws in
            let staged = try await mount.sealed("decided").staged
            try "more".write(
                toFile: "\(mount.folder)/.flotilla/staging/\(staged.name)", atomically: false, encoding: .utf8
            )
            await #expect(throws: VaultError.self) {
                try await mount.vault.publish(
                    staged, as: HomePath("a"), in: TemporaryMount.acme, replacing: true)
            }
            #expect(mount.text(at: "a") == nil)
        }
    }

    @Test func `of many nodes that roll one decision forward all say published`() async throws {
        try await TemporaryMount.with { mount async throws in
            let others = (0..<4).map { _ in PosixVault(root: mount.folder) }
            for round in 0..<50 {
                let staged = try await mount.sealed("\(round)").staged
                let path = try HomePath("deep/\(round % 7)/file")
                let outcomes = try await withThrowingTaskGroup(of: PublishOutcome.self) { group in
                    for vault in others {
                        group.addTask {
                            try await vault.publish(
                                staged, as: path, in: TemporaryMount.acme, replacing: true)
                        }
                    }
                    return try await group.reduce(into: Set<PublishOutcome>()) { $0.insert($1) }
                }
                #expect(outcomes == [.published])
                #expect(mount.text(at: "deep/\(round % 7)/file") == "\(round)")
            }
            for vault in others { await vault.shutDown() }
        }
    }

    @Test func `no home, no publication`() async throws {
        try await TemporaryMount.with { mount async throws in
            let staged = try await mount.sealed("x").staged
            let nobody = AccountName("nobody").unsafelyKnown
            await #expect(throws: VaultError.notFound("the home of nobody")) {
                try await mount.vault.publish(staged, as: HomePath("a"), in: nobody, replacing: true)
            }
            #expect(mount.names(below: "homes") == ["acme"])
        }
    }

    @Test func `many at once into a few folders all end`() async throws {
        try await TemporaryMount.with { mount async throws in
            var staged: [StagedIdentity] = []
            for number in 0..<200 { staged.append(try await mount.sealed("\(number)").staged) }
            let vault = mount.vault
            let outcomes = try await withThrowingTaskGroup { group in
                for (number, one) in staged.enumerated() {
                    group.addTask {
                        try await vault.publish(
                            one, as: HomePath("\(number % 3)/\(number)"), in: TemporaryMount.acme,
                            replacing: true)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.count == 200 && outcomes.allSatisfy { $0 == .published })
            for number in 0..<200 { #expect(mount.text(at: "\(number % 3)/\(number)") == "\(number)") }
        }
    }
}
