import ClusterModel
import ClusterPorts
import Foundation
import SharedMount
import Testing

@Suite(.serialized) struct MoveTests {
    private let acme = TemporaryMount.acme

    @Test(arguments: [false, true])
    func `a file moves once, and saying it again changes nothing`(_ emulating: Bool) async throws {
        try await TemporaryMount.with(options: PublishTests.options(emulating: emulating)) {
            mount async throws in
            let identity = try await mount.put("x", at: "a")
            let (from, target) = (try HomePath("a"), try HomePath("new/b"))
            for _ in 0..<2 {
                #expect(
                    try await mount.vault.move(from, to: target, in: self.acme, identity: identity) == .moved)
            }
            #expect(mount.text(at: "new/b") == "x")
            #expect(mount.names(below: "homes/acme") == ["new"])
        }
    }

    @Test(arguments: [false, true])
    func `a folder moves with all that is in it, but not into itself`(_ emulating: Bool) async throws {
        try await TemporaryMount.with(options: PublishTests.options(emulating: emulating)) {
            mount async throws in
            try await mount.put("x", at: "folder/deep/file")
            let (from, target) = (try HomePath("folder"), try HomePath("moved"))
            let identity = try #require(try await mount.vault.status(of: from, in: self.acme)).identity
            let inside = try HomePath("folder/deep/folder")
            #expect(
                try await mount.vault.move(from, to: inside, in: self.acme, identity: identity) == .blocked)
            try await mount.put("more", at: "folder/other")  // The identity of a folder stays.
            for _ in 0..<2 {
                #expect(
                    try await mount.vault.move(from, to: target, in: self.acme, identity: identity) == .moved)
            }
            #expect(mount.text(at: "moved/deep/file") == "x")
        }
    }

    @Test(arguments: [false, true])
    func `a target that is taken blocks, a changed thing stays`(_ emulating: Bool) async throws {
        try await TemporaryMount.with(options: PublishTests.options(emulating: emulating)) {
            mount async throws in
            let old = try await mount.put("old", at: "a")
            try await mount.put("other", at: "b")
            let (from, target) = (try HomePath("a"), try HomePath("b"))
            #expect(try await mount.vault.move(from, to: target, in: self.acme, identity: old) == .blocked)
            try await mount.put("newer", at: "a")
            let free = try HomePath("made/c")
            #expect(try await mount.vault.move(from, to: free, in: self.acme, identity: old) == .notThere)
            #expect(
                try await mount.vault.remove(from, in: self.acme, identity: old, operation: UUID())
                    == .notThere)
            #expect(mount.text(at: "a") == "newer")
            #expect(mount.text(at: "b") == "other")
            #expect(mount.names(below: "homes/acme") == ["a", "b"])
        }
    }

    @Test(arguments: ["a", String(repeating: "long/", count: 60) + "a"], [false, true])
    func `a removed file is in the trash, then gone for good`(_ path: String, _ emulating: Bool) async throws
    {
        try await TemporaryMount.with(options: PublishTests.options(emulating: emulating)) {
            mount async throws in
            let identity = try await mount.put("x", at: path)
            let operation = UUID()
            for _ in 0..<2 {
                let outcome = try await mount.vault.remove(
                    HomePath(path), in: self.acme, identity: identity, operation: operation)
                #expect(outcome == .moved)
            }
            #expect(mount.text(at: path) == nil)
            #expect(mount.names(below: ".flotilla/trash").count == 1)
            // A newer file of that name is not harmed by the old removal.
            try await mount.put("newer", at: path)
            #expect(try await mount.vault.emptyTrash(limit: 100) >= 1)
            #expect(mount.names(below: ".flotilla/trash").isEmpty)
            let late = try await mount.vault.remove(
                HomePath(path), in: self.acme, identity: identity, operation: operation)
            #expect(late == .notThere)
            #expect(mount.text(at: path) == "newer")
            #expect(try await mount.vault.emptyTrash(limit: 100) == 0)
        }
    }

    @Test(arguments: ["a", String(repeating: "long/", count: 60) + "a"])
    func `what a late removal took is put back when it is not what was decided`(_ path: String) async throws {
        try await TemporaryMount.with { mount async throws in
            let identity = try await mount.put("old", at: path)
            let (home, operation) = (try HomePath(path), UUID())
            _ = try await mount.vault.remove(home, in: self.acme, identity: identity, operation: operation)
            let trash = "\(mount.folder)/.flotilla/trash"
            let entry = try #require(mount.names(below: ".flotilla/trash").first)
            let thing = path.count > 200 ? "\(trash)/\(entry)/thing" : "\(trash)/\(entry)"
            // As a zombie leaves it that is killed between its rename and its look: a newer file in the old
            // one's place.
            try FileManager.default.removeItem(atPath: thing)
            try await mount.put("newer", at: path)
            try FileManager.default.moveItem(atPath: "\(mount.home)/\(path)", toPath: thing)
            _ = try await mount.vault.emptyTrash(limit: 100)
            #expect(mount.text(at: path) == "newer")
            // When its place is taken it is kept.
            try FileManager.default.moveItem(atPath: "\(mount.home)/\(path)", toPath: "\(mount.folder)/aside")
            try FileManager.default.createDirectory(
                atPath: URL(fileURLWithPath: thing).deletingLastPathComponent().path,
                withIntermediateDirectories: true)
            try FileManager.default.moveItem(atPath: "\(mount.folder)/aside", toPath: thing)
            if path.count > 200 {
                try "acme/\(path)".write(toFile: "\(trash)/\(entry)/from", atomically: false, encoding: .utf8)
            }
            try await mount.put("newest", at: path)
            _ = try await mount.vault.emptyTrash(limit: 100)
            #expect(mount.text(at: path) == "newest")
            #expect(FileManager.default.contents(atPath: thing) == Data("newer".utf8))
        }
    }

    @Test func `zombies that race with newer files never lose one`() async throws {
        try await TemporaryMount.with { mount async throws in
            let zombies = (0..<3).map { _ in PosixVault(root: mount.folder) }
            let path = try HomePath("hot")
            for round in 0..<200 {
                let identity = try await mount.put("old \(round)", at: "hot")
                let newer = try await mount.sealed("new \(round)").staged
                let operation = UUID()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (index, vault) in zombies.enumerated() {
                        let target = try HomePath("away/\(round)")
                        group.addTask {
                            if index == 0 {
                                _ = try await vault.move(path, to: target, in: self.acme, identity: identity)
                            } else {
                                _ = try await vault.remove(
                                    path, in: self.acme, identity: identity, operation: operation)
                            }
                        }
                    }
                    group.addTask {
                        let outcome = try await mount.vault.publish(
                            newer, as: path, in: self.acme, replacing: true)
                        #expect(outcome == .published)
                    }
                    try await group.waitForAll()
                }
                _ = try await mount.vault.emptyTrash(limit: 1_000)
                #expect(mount.text(at: "hot") == "new \(round)")
            }
            for vault in zombies { await vault.shutDown() }
        }
    }

    @Test func `a deep and wide tree goes away in bounded steps`() async throws {
        try await TemporaryMount.with { mount async throws in
            let deep = String(repeating: "d/", count: 300)
            try await mount.vault.makeFolders(HomePath("tree/\(deep)"), in: self.acme)
            for index in 0..<50 { try await mount.put("x", at: "tree/d/d/\(index)") }
            try FileManager.default.createSymbolicLink(
                atPath: "\(mount.home)/tree/outside", withDestinationPath: mount.home)
            try await mount.put("stays", at: "stays")
            let path = try HomePath("tree")
            let identity = try #require(try await mount.vault.status(of: path, in: self.acme)).identity
            #expect(
                try await mount.vault.remove(path, in: self.acme, identity: identity, operation: UUID())
                    == .moved)
            var total = 0
            while true {
                let count = try await mount.vault.emptyTrash(limit: 40)
                #expect(count <= 40)
                total += count
                if count == 0 { break }
            }
            #expect(total == 352)
            #expect(mount.names(below: ".flotilla/trash").isEmpty)
            #expect(mount.names(below: "homes/acme") == ["stays"])
        }
    }
}
