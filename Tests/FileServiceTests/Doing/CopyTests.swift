import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import Testing

/// Copies of folders: seen whole or not at all, and reclaimed when nobody will finish them.
@Suite(.serialized)
struct CopyTests {
    private static let files = 300

    private func fill(_ cluster: TestCluster) throws {
        for number in 0..<Self.files {
            let folder = "\(cluster.folder)/homes/acme/from/\(number % 7)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data("content \(number)".utf8).write(to: URL(filePath: "\(folder)/\(number)"))
        }
    }

    /// Looks at the target all the time; answers how many files there were, each time there was something.
    private func watching(
        _ cluster: TestCluster, _ copy: @Sendable () async throws -> Void
    ) async throws -> Set<Int> {
        let isOver = Shared(false)
        return try await withThrowingTaskGroup(of: Set<Int>.self) { group in
            group.addTask {
                var seen: Set<Int> = []
                repeat {
                    if let names = try? FileManager.default.subpathsOfDirectory(
                        atPath: "\(cluster.folder)/homes/acme/to")
                    {
                        seen.insert(names.count { $0.contains("/") })
                    }
                    await Task.yield()
                } while !isOver.value
                return seen
            }
            do {
                try await copy()
                isOver.change { $0 = true }
            } catch {
                isOver.change { $0 = true }
                throw error
            }
            return try await group.next() ?? []
        }
    }

    @Test func `nobody ever sees a part of a copied folder`() async throws {
        try await TestCluster.with { cluster in
            try self.fill(cluster)
            let node = try await cluster.node("worker")
            try await node.running {
                let seen = try await self.watching(cluster) {
                    let receipt = try await node.files.copy(
                        try Samples.path("from"), to: try Samples.path("to"), by: cluster.caller,
                        options: CopyOptions())
                    #expect(receipt.count.files == Self.files && receipt.count.folders == 7)
                }
                #expect(seen.subtracting([Self.files]).isEmpty, "\(seen)")
            }
            for number in 0..<Self.files {
                #expect(cluster.content("to/\(number % 7)/\(number)") == "content \(number)")
            }
        }
    }

    @Test func `the twin that copies to the target itself is caught`() async throws {
        try await TestCluster.with { cluster in
            try self.fill(cluster)
            let home = "\(cluster.folder)/homes/acme"
            let seen = try await self.watching(cluster) {
                for number in 0..<Self.files {
                    let folder = "\(home)/to/\(number % 7)"
                    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                    try FileManager.default.copyItem(
                        atPath: "\(home)/from/\(number % 7)/\(number)", toPath: "\(folder)/\(number)")
                    await Task.yield()
                }
            }
            #expect(!seen.subtracting([Self.files]).isEmpty)
        }
    }

    @Test func `a node that dies in the middle leaves a folder that others reclaim`() async throws {
        try await TestCluster.with { cluster in
            try self.fill(cluster)
            let survivor = try await cluster.node("survivor")
            let victim = try await cluster.node("victim", gate: Gate(patience: .milliseconds(200)))
            try? await victim.running {
                let copy = try await cluster.vault.copyFolder(
                    try Samples.path("from"), in: cluster.account.name, for: UUID(),
                    of: victim.right.incarnation, bounds: TreeBounds(depth: 10, entries: 10_000))
                guard case .more(let count) = try await copy.step() else {
                    Issue.record("one step was enough")
                    return
                }
                #expect(count.files > 0)
                await copy.close()
            }
            #expect(try await cluster.staged().count == 1)
            try await victim.bury()
            try await survivor.recover()
            #expect(try await cluster.staged().isEmpty)
            #expect(try await cluster.store.departures(limit: 10).isEmpty)
            var left = 1
            while left > 0 { left = try await cluster.vault.emptyTrash(limit: 1_000) }
            let trash = try FileManager.default.contentsOfDirectory(
                atPath: "\(cluster.folder)/.flotilla/trash")
            #expect(trash.isEmpty)
        }
    }

    @Test func `a copy that is given up for a bound leaves nothing, and says which`() async throws {
        try await TestCluster.with { cluster in
            try self.fill(cluster)
            var limits = FileLimits()
            limits.copiedEntries = 100
            let node = try await cluster.node("worker", limits: limits)
            try await node.running {
                await #expect {
                    _ = try await node.files.copy(
                        try Samples.path("from"), to: try Samples.path("to"), by: cluster.caller,
                        options: CopyOptions())
                } throws: { error in
                    guard case .tooLarge(_, let why) = error as? FileServiceError else { return false }
                    return why.contains("100")
                }
            }
            #expect(try await cluster.staged().isEmpty)
            let failed = try await cluster.transfers { $0.status = .failed }
            #expect(failed.count == 1 && failed.first?.reason?.contains("100") == true)
        }
    }

    @Test func `a node that has lost its cluster stops copying`() async throws {
        try await TestCluster.with { cluster in
            try self.fill(cluster)
            let gate = Gate()
            let node = try await cluster.node("worker", gate: gate)
            let before = node.standing.standing()
            gate.meet(.beforeAppend) { node.standing.set(.outside) }
            try await node.running {
                await #expect(throws: FileServiceError.self) {
                    _ = try await node.files.copy(
                        try Samples.path("from"), to: try Samples.path("to"), by: cluster.caller,
                        options: CopyOptions())
                }
                node.standing.set(before)
            }
            #expect(cluster.content("to/0/0") == nil)
            #expect(try await cluster.staged().isEmpty)
        }
    }
}
