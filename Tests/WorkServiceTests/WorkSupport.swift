import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver

/// Says what the test wants it to say.
final class TestDesk: JobDesk {
    private let draining: Bool
    private let held: Bool
    private let live: NodeRight?

    init(draining: Bool = false, held: Bool = true, right: NodeRight? = nil) {
        self.draining = draining
        self.held = held
        self.live = right
    }

    func isHeld(_ title: JobTitle) -> Bool { self.held }
    var isDraining: Bool { self.draining }
    func note(_ progress: JobProgress, of title: JobTitle) async -> Bool { self.held }
    func right(of title: JobTitle) -> NodeRight? { self.live }
}

extension TestDatabase {
    /// What a claim's row must have, whatever else the queue adds to it.
    func claim(job: Int64, epoch: Int64, by node: JoinedNode) async throws {
        _ = try await self.pool.query(
            """
            insert into flotilla.claim
            select (jsonb_populate_record(null::flotilla.claim, jsonb_build_object(
                'incarnation', \(node.right.incarnation.rawValue), 'job', \(job), 'epoch', \(epoch), 'slot', 1,
                'lane', 1, 'rank', 0, 'attempt', 1, 'claimed_at', now(), 'keyed', false, 'limited', false))).*
            """)
    }

    func count(_ table: String) async throws -> Int {
        try await self.pool.query("select count(*) from \(unescaped: table)").exactlyOne()[0, as: Int.self]
    }
}

enum Program {
    /// What a program says.
    static func output(_ path: String, _ arguments: [String]) async throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        return try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { _ in
                let bytes = (try? output.fileHandleForReading.readToEnd()) ?? Data()
                continuation.resume(returning: String(decoding: bytes, as: UTF8.self))
            }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
    }
}
