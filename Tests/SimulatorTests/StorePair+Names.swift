import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Simulator
import Testing

/// Operations on names: few paths of one account, so that they meet.
extension StorePair {
    private static func path(_ number: Int) throws -> HomePath {
        try HomePath(bytes: Array("file-\(number)".utf8))
    }

    private static func identity(_ number: Int) -> FileIdentity {
        FileIdentity(inode: UInt64(number), size: 12, modified: 34, isFolder: false)
    }

    private func newOperation(by right: NodeRight) -> (Int, ClusterPorts.Operation) {
        let operation = ClusterPorts.Operation(
            id: UUID(), account: self.account.id, accountName: self.account.name,
            origin: TransferOrigin(
                node: right.name, protocol: "http", client: "10.0.0.1",
                startedAt: Date(timeIntervalSince1970: 1_700_000_000)))
        self.operations.append(operation)
        return (self.operations.count, operation)
    }

    /// One of the newest, and the node that it is of, mostly.
    private func knownOperation() -> (Int, ClusterPorts.Operation, NodeRight)? {
        guard !self.operations.isEmpty, let place = self.place() else { return nil }
        let rows = self.simulated.names()
        if let row = self.lots.pick(rows), self.lots.chance(800) {
            let own = self.nodes.first { $0.right.incarnation == row.incarnation }
            let right = self.lots.chance(800) ? own?.right : nil
            return (row.operation, self.operations[row.operation - 1], right ?? self.nodes[place].right)
        }
        let number = self.operations.count - self.lots.below(min(8, self.operations.count))
        return (number, self.operations[number - 1], self.nodes[place].right)
    }

    /// What the real rows say, by path.
    func realNames() async throws -> [SimulatedStore.NameShape] {
        let rows = try await self.real.unfinished(account: self.account.id, below: .home, limit: 1_000)
        let numbers = Dictionary(
            uniqueKeysWithValues: self.operations.enumerated().map { ($1.id, $0 + 1) })
        return try rows.map { row in
            let text = String(decoding: row.path.bytes, as: UTF8.self)
            return SimulatedStore.NameShape(
                path: try #require(Int(text.dropFirst("file-".count))),
                operation: try #require(numbers[row.operation.id]), incarnation: row.incarnation,
                isDecided: row.change != nil)
        }.sorted { $0.path < $1.path }
    }

    func decideName() async throws {
        guard let place = self.place() else { return }
        let right = self.nodes[place].right
        // A batch in which two may be for one name: the first one gets it.
        var publications: [Publication] = []
        var simulated: [DecisionAnswer] = []
        for _ in 0...self.lots.below(3) {
            let (number, operation) = self.newOperation(by: right)
            let path = self.lots.below(6)
            publications.append(
                Publication(
                    operation: operation, path: try Self.path(path),
                    staged: StagedIdentity(
                        name: StagedName(incarnation: right.incarnation, file: "\(number)"),
                        identity: Self.identity(number)),
                    digest: nil, replaces: true))
            simulated.append(try self.simulated.decide(path: path, operation: number, by: right))
        }
        let real = try await self.real.decide(publications, by: right)
        self.compare("\(right.incarnation) decides \(publications.map(\.path))", real, simulated)
    }

    func reserve() async throws {
        guard let place = self.place() else { return }
        let right = self.nodes[place].right
        let (number, operation) = self.newOperation(by: right)
        let paths = (0...self.lots.below(2)).map { _ in self.lots.below(6) }
        let real = try await self.real.reserve(try paths.map(Self.path), for: operation, by: right)
        self.compare(
            "\(right.incarnation) reserves \(paths) for \(number)", real,
            try self.simulated.reserve(paths: paths, operation: number, by: right))
    }

    func decideReserved() async throws {
        guard let (number, operation, right) = self.knownOperation() else { return }
        let change = NameChange.remove(try Self.path(0), Self.identity(number))
        let real = try await self.real.decide(change, of: operation, by: right)
        self.compare(
            "\(right.incarnation) decides its reservation \(number)", real,
            try self.simulated.decide(reserved: number, by: right))
    }

    func abandon() async throws {
        guard let (number, operation, right) = self.knownOperation() else { return }
        try await self.real.abandon(operation, of: right.incarnation)
        try self.simulated.abandon(operation: number, of: right.incarnation)
    }

    /// Also of those who live: then nothing happens.
    func abandonAll() async throws {
        guard let place = self.place() else { return }
        let incarnation = try await self.departed() ?? self.nodes[place].right.incarnation
        let real = try await self.real.abandonAll(of: incarnation)
        self.compare(
            "reservations of \(incarnation) are given up", real,
            try self.simulated.abandonAll(of: incarnation))
    }

    func finish() async throws {
        guard let (number, operation, right) = self.knownOperation() else { return }
        let paths = self.simulated.names().filter { $0.operation == number }.map(\.path)
        let all = paths.isEmpty ? [self.lots.below(6)] : paths
        let record = TransferRecord(
            id: operation.id, kind: .upload, status: .completed, account: self.account.name,
            path: try Self.path(all[0]), size: 12, digest: nil, origin: operation.origin,
            incarnation: right.incarnation, endedAt: Date(timeIntervalSince1970: 1_700_000_001))
        let real = try await self.real.finish([
            FinishedOperation(operation: operation, names: try all.map(Self.path), record: record)
        ])
        self.compare(
            "operation \(number) is finished", real.contains(operation.id),
            try self.simulated.finish(operation: number, paths: all))
    }
}
