import ClusterTestKit
import DoorTestKit
import Foundation
import Glibc
import HTTPDoor
import Testing

/// Requests and neighbours that mean harm: never a 500, and nothing outside the home changes.
///
/// FLOTILLA_HOSTILE_SEED repeats a run; FLOTILLA_HOSTILE_REQUESTS makes it longer.
@Suite(.serialized)
struct HostileTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let seed = environment["FLOTILLA_HOSTILE_SEED"].flatMap { UInt64($0) } ?? 20_261_123
    private static let requests = environment["FLOTILLA_HOSTILE_REQUESTS"].flatMap { Int($0) } ?? 1_500

    /// What lies around alice's home and must stay as it is.
    private func surroundings(_ node: DoorNode) throws -> [String: String] {
        var found: [String: String] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: node.mount.path) {
            guard !path.hasPrefix("homes/alice"), !path.hasPrefix(".flotilla") else { continue }
            let bytes = FileManager.default.contents(atPath: node.mount.appending(path: path).path)
            found[path] = bytes.map { "\($0.count) \($0.hashValue)" } ?? "folder"
        }
        return found
    }

    private func setUp(_ node: DoorNode) async throws -> (alice: TestLogin, outside: URL) {
        let alice = try await node.makeAccount("alice")
        let bob = try await node.makeAccount("bob")
        _ = try await node.files("PUT", "/files/secret", bob, body: Array("of bob".utf8))
        let outside = node.mount.deletingLastPathComponent().appending(path: "outside-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: outside, withIntermediateDirectories: true)
        try Data("outside".utf8).write(to: outside.appending(path: "file"))
        for (name, target) in [
            ("up", ".."), ("bob", "../bob"), ("out", outside.path), ("file", outside.path + "/file"),
            ("self", "."), ("dangling", outside.path + "/new"), ("own", "../../.flotilla"),
            ("proc", "/proc/self/root"),
        ] {
            try FileManager.default.createSymbolicLink(
                atPath: node.onMount("alice", name), withDestinationPath: target)
        }
        _ = try await node.files("MKCOL", "/files/d", alice)
        _ = try await node.files("PUT", "/files/f", alice, body: [1])
        mkfifo(node.onMount("alice", "pipe"), 0o660)
        return (alice, outside)
    }

    @Test func `malformed requests and hostile paths harm nobody`() async throws {
        try await DoorNode.with { node in
            let (alice, outside) = try await self.setUp(node)
            defer { try? FileManager.default.removeItem(at: outside) }
            let before = try self.surroundings(node)
            var random = Random(seed: Self.seed)
            var statuses: [String: Int] = [:]
            for number in 0..<Self.requests {
                let request = HostileRequest(&random, authorization: alice.authorization)
                let answer =
                    (try? await RawConnection.open(port: node.filesPort).exchange(
                        request.pieces, finishing: request.finishes)) ?? ""
                let status = String(answer.dropFirst("HTTP/1.1 ".count).prefix(3))
                statuses[status, default: 0] += 1
                #expect(
                    answer.isEmpty || answer.hasPrefix("HTTP/1.") || answer.hasPrefix("<"),
                    "seed \(Self.seed), request \(number)")
                #expect(status != "500", "seed \(Self.seed), request \(number): \(request.pieces) \(answer)")
                // Where links lead nobody gets.
                #expect(!answer.contains("of bob") && !answer.hasSuffix("outside"), "\(request.pieces)")
            }
            print("hostile requests by status:", statuses.sorted { $0.key < $1.key })
            #expect(statuses.count > 5, "the requests are too much alike: \(statuses)")
            #expect(try self.surroundings(node) == before)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: outside.path) == ["file"], "outside")
            #expect(FileManager.default.contents(atPath: outside.path + "/file") == Data("outside".utf8))
            #expect(try await node.files("PUT", "/files/after", alice, body: [1]).status == 201)
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }

    @Test func `folders that turn into links while they are written to lead nowhere`() async throws {
        try await DoorNode.with { node in
            let (alice, outside) = try await self.setUp(node)
            defer { try? FileManager.default.removeItem(at: outside) }
            let before = try self.surroundings(node)
            let (folder, aside) = (node.onMount("alice", "d"), node.onMount("alice", "d-aside"))
            let isOver = Flag()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    // Another program swaps the folder for a link to the outside, and back.
                    var round = 0
                    while !isOver.isRaised {
                        // What was made in between stays, so each round has a name of its own.
                        round += 1
                        rename(folder, "\(aside)\(round)")
                        symlink(outside.path, folder)
                        await Task.yield()
                        unlink(folder)
                        rename("\(aside)\(round)", folder)
                        await Task.yield()
                    }
                }
                for worker in 0..<4 {
                    tasks.addTask {
                        var random = Random(seed: Self.seed &+ UInt64(worker))
                        for number in 0..<100 {
                            let path = "/files/d/\(worker)-\(number)"
                            let answers = [
                                try await node.files("PUT", path, alice, body: [1]),
                                try await node.files(
                                    "COPY", "/files/f", alice, ["destination": path + "-copy"]),
                                try await node.files(
                                    number % 20 == 0 ? "COPY" : "HEAD", "/files/d", alice,
                                    ["destination": "/files/c\(worker)-\(number)"]),
                                try await node.files("GET", "/files/d/?archive=zip", alice),
                                try await node.files("GET", "/files/d/file", alice),
                                try await node.files("MKCOL", path + "-sub?parents=true", alice),
                                try await node.files(
                                    random.next() % 2 == 0 ? "DELETE" : "GET", path, alice),
                            ]
                            for answer in answers {
                                #expect(answer.status != 500, "\(answer.text)")
                                #expect(!answer.text.contains("outside"), "\(answer.text)")
                            }
                        }
                    }
                }
                for _ in 0..<4 { try await tasks.next() }
                isOver.raise()
                try await tasks.waitForAll()
            }
            #expect(try self.surroundings(node) == before)
            #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path) == ["file"])
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }

    @Test func `parents that are renamed while files are written to them lose nothing`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.files("MKCOL", "/files/a", alice)
            let kept = Names()
            let isOver = Flag()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    var round = 0
                    while !isOver.isRaised {
                        round += 1
                        let moved = try await node.files(
                            "MOVE", "/files/a", alice, ["destination": "/files/m\(round)"])
                        #expect([201, 404, 423].contains(moved.status), "\(moved.text)")
                        // What was decided before the move may have made it again.
                        let made = try await node.files("MKCOL", "/files/a", alice)
                        #expect([201, 405, 423].contains(made.status), "\(made.text)")
                    }
                }
                for worker in 0..<4 {
                    tasks.addTask {
                        for number in 0..<60 {
                            let name = "\(worker)-\(number)"
                            let put = try await node.files(
                                "PUT", "/files/a/\(name)", alice, body: Array(name.utf8))
                            #expect([201, 409, 423].contains(put.status), "\(put.text)")
                            if put.status == 201 { kept.add(name) }
                        }
                    }
                }
                for _ in 0..<4 { try await tasks.next() }
                isOver.raise()
                try await tasks.waitForAll()
            }
            let home = FileManager.default.subpaths(atPath: node.onMount("alice", "")) ?? []
            let shown = Set(home.compactMap { $0.split(separator: "/").dropFirst().first.map(String.init) })
            #expect(!kept.all.isEmpty)
            #expect(home.contains("m1"), "nothing was ever moved")
            #expect(kept.all.subtracting(shown).isEmpty, "acknowledged and lost")
        }
    }
}
