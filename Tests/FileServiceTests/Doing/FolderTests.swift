import ClusterModel
import ClusterPorts
import FileService
import Foundation
import Testing

struct FolderTests {
    @Test func `folders are made once, and with parents where asked`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                let caller = cluster.caller
                let path = try Samples.path("a/b")
                await #expect(throws: FileServiceError.parentMissing(try Samples.path("a"))) {
                    try await node.files.makeFolder(path, by: caller, parents: false)
                }
                _ = try await node.files.makeFolder(path, by: caller, parents: true)
                await #expect(throws: FileServiceError.exists(path)) {
                    try await node.files.makeFolder(path, by: caller, parents: true)
                }
                let entries = try await node.files.list(
                    try Samples.path("a"), by: caller, after: nil, limit: 10)
                #expect(entries.map { String(decoding: $0.name, as: UTF8.self) } == ["b"])
            }
            #expect(try await cluster.staged().isEmpty)
        }
    }

    @Test func `what is removed must be there, empty or wholly unwanted, and not the home`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                let caller = cluster.caller
                try await node.put("a/b/c", "1") { $0.makesParents = true }
                let folder = try Samples.path("a")
                await #expect(throws: FileServiceError.notEmpty(folder)) {
                    try await node.files.remove(folder, by: caller, recursive: false, ifMatch: nil)
                }
                await #expect(throws: FileServiceError.isHome) {
                    try await node.files.remove(.home, by: caller, recursive: true, ifMatch: nil)
                }
                let gone = try Samples.path("gone")
                await #expect(throws: FileServiceError.notFound(gone)) {
                    try await node.files.remove(gone, by: caller, recursive: false, ifMatch: nil)
                }
                await #expect(throws: FileServiceError.self) {
                    try await node.files.remove(
                        try Samples.path("a/b/c"), by: caller, recursive: false, ifMatch: "\"other\"")
                }
                _ = try await node.files.remove(folder, by: caller, recursive: true, ifMatch: nil)
                #expect(cluster.content("a/b/c") == nil)
                // The marks are gone with it.
                try await node.put("a/b/c", "2") { $0.makesParents = true }
                #expect(cluster.content("a/b/c") == "2")
            }
        }
    }

    @Test func `a move overwrites nothing and goes not into itself`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                let caller = cluster.caller
                try await node.put("a/x", "1") { $0.makesParents = true }
                try await node.put("b", "2")
                let (a, b, c) = (try Samples.path("a"), try Samples.path("b"), try Samples.path("c"))
                await #expect(throws: FileServiceError.exists(b)) {
                    try await node.files.move(a, to: b, by: caller)
                }
                await #expect(throws: FileServiceError.intoItself(a)) {
                    try await node.files.move(a, to: try Samples.path("a/x/y"), by: caller)
                }
                await #expect(throws: FileServiceError.parentMissing(try Samples.path("no"))) {
                    try await node.files.move(a, to: try Samples.path("no/where"), by: caller)
                }
                #expect(try await node.files.move(a, to: c, by: caller).path == c)
                #expect(cluster.content("c/x") == "1")
                #expect(
                    try await node.files.move(b, to: try Samples.path("c/b"), by: caller).path.components
                        .count == 2)
                #expect(cluster.content("c/b") == "2")
            }
            let moves = try await cluster.transfers {
                $0.kind = .move
                $0.status = .completed
            }
            #expect(moves.count == 2)
        }
    }

    @Test func `links are shown and neither written, removed nor followed`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            let link = "\(cluster.folder)/homes/acme/link"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "/etc")
            try await node.running {
                let path = try Samples.path("link")
                #expect(try await node.files.status(of: path, by: cluster.caller).kind == .link)
                await #expect(throws: FileServiceError.forbiddenLink(path)) {
                    try await node.put("link", "x")
                }
                await #expect(throws: FileServiceError.forbiddenLink(path)) {
                    try await node.files.remove(path, by: cluster.caller, recursive: true, ifMatch: nil)
                }
                await #expect(throws: FileServiceError.self) { try await node.put("link/passwd", "x") }
            }
        }
    }

    @Test func `uploads below a folder that moves to and fro are all found where the folder is`() async throws
    {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            let acknowledged = Shared<[String]>([])
            try await one.running {
                try await two.running {
                    _ = try await one.files.makeFolder(
                        try Samples.path("here"), by: cluster.caller, parents: false)
                    try await one.put("here/first", "first")
                    acknowledged.change { $0.append("first") }
                    try await withThrowingTaskGroup { group in
                        for writer in 0..<4 {
                            group.addTask {
                                for number in 0..<20 {
                                    let name = "w\(writer)-\(number)"
                                    do {
                                        try await (writer.isMultiple(of: 2) ? one : two).put(
                                            "here/\(name)", name)
                                        acknowledged.change { $0.append(name) }
                                    } catch FileServiceError.parentMissing, FileServiceError.notFound {
                                        // It is elsewhere just now.
                                    }
                                }
                            }
                        }
                        group.addTask {
                            let (here, there) = (try Samples.path("here"), try Samples.path("there"))
                            for _ in 0..<5 {
                                _ = try await two.files.move(here, to: there, by: cluster.caller)
                                _ = try? await two.files.move(there, to: here, by: cluster.caller)
                            }
                        }
                        // A move finds its target taken when an upload made the folder anew; uploads go on.
                        while let result = await group.nextResult() {
                            if case .failure(let error) = result, !(error is FileServiceError) { throw error }
                        }
                    }
                }
            }
            let names = acknowledged.value
            #expect(!names.isEmpty)
            for name in names {
                let content = cluster.content("here/\(name)") ?? cluster.content("there/\(name)")
                #expect(content == name)
            }
            #expect(try await cluster.staged().isEmpty)
        }
    }
}
