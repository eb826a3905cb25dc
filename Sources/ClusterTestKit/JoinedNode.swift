package import ClusterModel
package import ClusterPorts
import Dispatch
import PostgresStore
import Synchronization

/// A member without a program behind it: it beats when the test says so.
package final class JoinedNode: Sendable {
    package let right: NodeRight
    private let queue: DispatchQueue
    private let lines: LineBox
    private let source: any HeartbeatLines

    private init(right: NodeRight, queue: DispatchQueue, lines: LineBox, source: any HeartbeatLines) {
        self.right = right
        self.queue = queue
        self.lines = lines
        self.source = source
    }

    /// Takes an incarnation, its advisory lock, a slot and a name.
    ///
    /// - Parameter holders: connections that hold the lock; the first one beats.
    package static func join(
        _ database: TestDatabase, named name: String? = nil, holders: Int = 2
    ) async throws -> JoinedNode {
        let incarnation = try await database.store.nextIncarnation(above: nil)
        let queue = DispatchQueue(label: "node \(incarnation)")
        let lines = LineBox()
        database.kept.keep(lines)
        try await queue.run {
            for _ in 0..<holders {
                lines.lines.append(try database.lines.open(for: incarnation, within: .seconds(10)))
            }
        }
        let answer = try await database.store.join(
            JoinRequest.test(incarnation, named: name.flatMap { NodeName($0) }))
        guard case .joined(let slot, let name) = answer else { throw JoinRefused(answer: answer) }
        return JoinedNode(
            right: NodeRight(slot: slot, incarnation: incarnation, name: name), queue: queue, lines: lines,
            source: database.lines)
    }

    package struct JoinRefused: Error {
        package let answer: JoinAnswer
        package init(answer: JoinAnswer) { self.answer = answer }
    }

    @discardableResult
    package func beat() async throws -> HeartbeatAnswer {
        let pulse = Pulse(
            slot: self.right.slot, incarnation: self.right.incarnation, load: .idle, capacity: 100)
        return try await self.queue.run { [lines] in
            guard let line = lines.lines.first else { throw StoreError.notRun("the node has no line") }
            return try line.beat(pulse, within: .seconds(10))
        }
    }

    /// Opens a connection that holds the lock, as a node does whose lines were cut.
    package func reopenLine() async throws {
        try await self.queue.run { [lines, source, right] in
            lines.lines.append(try source.open(for: right.incarnation, within: .seconds(10)))
        }
    }

    /// Closes connections, the one that beats last; so does a crash with all of them.
    package func dropLines(_ count: Int = .max) async throws {
        try await self.queue.run { [lines] in
            for _ in 0..<min(count, lines.lines.count) { lines.lines.popLast()?.close() }
        }
    }
}

/// Touched on the node's queue only.
private final class LineBox: @unchecked Sendable {
    var lines: [any HeartbeatLine] = []
}

extension DispatchQueue {
    fileprivate func run<Answer: Sendable>(
        _ body: @escaping @Sendable () throws -> Answer
    ) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            self.async { continuation.resume(with: Result { try body() }) }
        }
    }
}

extension JoinRequest {
    /// A request of some node; what it says of itself does not matter.
    package static func test(
        _ incarnation: Incarnation, named name: NodeName?, knownSchema: Int = .max
    ) -> JoinRequest {
        JoinRequest(
            incarnation: incarnation, name: name,
            addresses: NodeAddresses(host: "127.0.0.1", filesPort: 8080, adminPort: 8081), version: "test",
            knownSchema: knownSchema, attributes: ["zone": "a"], capacity: 100)
    }
}
