import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import Testing

/// Many nodes, deaths, counts and other programs at once.
@Suite(.serialized) struct QuotaRaceTests {
    @Test func `many nodes fill a home to its limit and never beyond`() async throws {
        try await TestCluster.with { cluster in
            try await cluster.limit(bytes: 1_000)
            let nodes = try await Self.nodes(4, of: cluster)
            let fitted = Shared(0)
            let highest = Shared<Int64>(0)
            try await Self.running(nodes) {
                try await withThrowingTaskGroup { group in
                    for (index, node) in nodes.enumerated() {
                        for task in 0..<4 {
                            group.addTask {
                                for file in 0..<6 {
                                    let fits = try await node.fits(
                                        "n\(index)/t\(task)/f\(file)", String(repeating: "x", count: 25))
                                    if fits { fitted.change { $0 += 1 } }
                                    let use = try await cluster.use()
                                    highest.change { $0 = max($0, use.bytes) }
                                }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            // 96 tries, and room for 40: each that fits gets in.
            #expect(fitted.value == 40)
            #expect(highest.value <= 1_000)
            #expect(try await cluster.use() == HomeUse(bytes: 1_000, files: 40))
            #expect(try await cluster.onDisk() == HomeUse(bytes: 1_000, files: 40))
        }
    }

    @Test func `whatever happens at once, the use is what is on the disk`() async throws {
        try await self.checkMix(names: nil) { use, disk in #expect(use == disk) }
    }

    @Test func `a twin that charges whole files, not differences, is caught`() async throws {
        let charge = { @Sendable (change: NameChange, cost: ChangeCost) -> ChangeCost in
            guard case .publish(_, let staged, _, _) = change, !staged.identity.isFolder else { return cost }
            return .difference(HomeUse(bytes: staged.identity.size, files: 1))
        }
        let names = { @Sendable (inner: any NameStore) -> any NameStore in
            MischargingNames(inner: inner, charge: charge)
        }
        try await self.checkMix(names: names) { use, disk in
            #expect(use != disk)
        }
    }

    /// Writes, overwrites, moves and removals by several nodes while others count; then compares.
    private func checkMix(
        names: (@Sendable (any NameStore) -> any NameStore)?,
        _ check: (HomeUse, HomeUse) -> Void
    ) async throws {
        try await TestCluster.with { cluster in
            try await cluster.limit(bytes: 100_000)
            let nodes = try await Self.nodes(3, of: cluster, names: names)
            try await cluster.count(at: nodes[0])
            let counts = Shared(0)
            try await Self.running(nodes) {
                try await withThrowingTaskGroup { group in
                    for (index, node) in nodes.enumerated() {
                        for task in 0..<3 {
                            group.addTask { try await Self.change(at: node, seed: index * 3 + task) }
                        }
                    }
                    // A twin's wrong numbers must not be mended.
                    guard names == nil else { return try await group.waitForAll() }
                    group.addTask {
                        for _ in 0..<12 {
                            try await cluster.count(at: nodes[0])
                            counts.change { $0 += 1 }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            if names == nil { #expect(counts.value == 12) }
            #expect(try await cluster.openNames() == 0)
            check(try await cluster.use(), try await cluster.onDisk())
        }
    }

    /// Random changes among few names, so that they meet.
    private static func change(at node: TestNode, seed: Int) async throws {
        var random = SeededNumbers(UInt64(seed + 1))
        for _ in 0..<25 {
            let folder = "f\(random.next() % 3)"
            let (one, two) = ("\(folder)/\(random.next() % 4)", "f\(random.next() % 3)/\(random.next() % 4)")
            do {
                switch random.next() % 10 {
                case 0: try await node.remove(folder)
                case 1: try await node.move(folder, "f\(random.next() % 3)")
                case 2: try await node.remove(one)
                case 3: try await node.move(one, two)
                default:
                    let text = String(repeating: "x", count: Int(random.next() % 50))
                    try await node.put(one, text) { $0.makesParents = true }
                }
            } catch let error as FileServiceError {
                // Others were faster; what must not happen is an error of another kind.
                switch error {
                case .failed(let reason): Issue.record("failed: \(reason)")
                default: continue
                }
            }
        }
    }

    static func nodes(
        _ count: Int, of cluster: TestCluster, names: (@Sendable (any NameStore) -> any NameStore)? = nil
    ) async throws -> [TestNode] {
        var nodes: [TestNode] = []
        for number in 1...count { nodes.append(try await cluster.node("n\(number)", names: names)) }
        return nodes
    }

    static func running(_ nodes: [TestNode], _ body: @escaping @Sendable () async throws -> Void) async throws
    {
        guard let first = nodes.first else { return try await body() }
        let rest = Array(nodes.dropFirst())
        try await first.running { try await Self.running(rest, body) }
    }

    enum Change: String, CaseIterable, Sendable { case put, overwrite, remove, removeFolder, move }

    @Test(arguments: Change.allCases)
    func `a death at any step leaves the use at what is on the disk`(change: Change) async throws {
        try await TestCluster.with { cluster in
            try await cluster.limit(bytes: 100_000)
            let survivor = try await cluster.node("survivor")
            try await survivor.running {
                for step in Step.allCases {
                    let place = step.rawValue.lowercased()
                    try await survivor.put("\(place)/file", "old text") { $0.makesParents = true }
                    try await survivor.put("\(place)/folder/in", "inside") { $0.makesParents = true }
                    let victim = try await cluster.node(place, gate: Gate(patience: .milliseconds(200)))
                    try? await victim.running {
                        victim.gate.stop(at: step)
                        try? await Self.perform(change, in: place, on: victim)
                        try await victim.flush()
                    }
                    try await victim.bury()
                    try await survivor.recover()
                    try await survivor.flush()
                    let (use, disk) = (try await cluster.use(), try await cluster.onDisk())
                    #expect(use == disk, "\(step)")
                }
            }
        }
    }

    private static func perform(_ change: Change, in place: String, on victim: TestNode) async throws {
        switch change {
        case .put: try await victim.put("\(place)/new", "brand new")
        case .overwrite: try await victim.put("\(place)/file", "a new and longer text")
        case .remove: try await victim.remove("\(place)/file")
        case .removeFolder: try await victim.remove("\(place)/folder")
        case .move: try await victim.move("\(place)/file", "\(place)/moved")
        }
    }

    @Test func `a count loses nothing that is decided while it walks, and finds what others brought`()
        async throws
    {
        try await TestCluster.with { cluster in
            try await cluster.limit(bytes: 1_000)
            let node = try await cluster.node("one")
            try await node.running {
                try await node.put("a", "0123456789")
                try await node.flush()
                try await cluster.count(at: node)
                #expect(try await cluster.use() == HomeUse(bytes: 10, files: 1))
                // Between the walk and its end: the walk knows nothing of it.
                let late = HookedTally(inner: cluster.vault) { try await node.put("b", "0123456789") }
                try await cluster.count(at: node, late)
                #expect(try await cluster.use() == HomeUse(bytes: 20, files: 2))
                let early = HookedTally(inner: cluster.vault) { try await node.remove("b") }
                try await cluster.count(at: node, early)
                #expect(try await cluster.use() == HomeUse(bytes: 10, files: 1))
                // A folder that moves meanwhile voids the walk; the next one counts.
                try await node.put("d/c", "xx") { $0.makesParents = true }
                try cluster.drop("strange", "from elsewhere")
                try await node.flush()
                let moves = Shared(0)
                let moving = HookedTally(inner: cluster.vault) {
                    moves.change { $0 += 1 }
                    if moves.value == 1 { try await node.move("d", "e") }
                    try await node.flush()
                }
                try await cluster.count(at: node, moving)
                #expect(moves.value == 2)
                #expect(try await cluster.use() == HomeUse(bytes: 26, files: 3))
                #expect(try await cluster.use() == cluster.onDisk())
            }
        }
    }

    @Test func `what was looked at is not outdated by a folder that goes and comes again`() async throws {
        try await TestCluster.with { cluster in
            try await cluster.limit(bytes: 1_000)
            let node = try await cluster.node("one")
            let other = try await cluster.node("other")
            try await Self.running([node, other]) {
                try await other.put("d/a", "0123456789") { $0.makesParents = true }
                // While one is about to write, the other removes the folder with the file that is there.
                try await withThrowingTaskGroup { group in
                    group.addTask { try await other.remove("d") }
                    group.addTask {
                        for _ in 0..<20 {
                            _ = try? await node.put("d/a", "012345678901234") { $0.makesParents = true }
                        }
                    }
                    try await group.waitForAll()
                }
                try await node.flush()
                try await other.flush()
                #expect(try await cluster.use() == cluster.onDisk())
            }
        }
    }
}
