package import ClusterModel
package import ClusterPorts

/// Names of one account, by numbers: what the comparison needs of `NameStore`.
extension SimulatedStore {
    /// A row of a name.
    package struct NameShape: Hashable, Sendable {
        package var path: Int
        package var operation: Int
        package var incarnation: Incarnation
        package var isDecided: Bool

        package init(path: Int, operation: Int, incarnation: Incarnation, isDecided: Bool) {
            self.path = path
            self.operation = operation
            self.incarnation = incarnation
            self.isDecided = isDecided
        }
    }

    package func decide(path: Int, operation: Int, by right: NodeRight) throws(StoreError) -> DecisionAnswer {
        let staged = StagedFileID(incarnation: right.incarnation.rawValue, operation: operation)
        return switch try self.run(DecideStatement(FileKey(path: path), staged, right)).verdict {
        case .decided: .decided
        case .fenced: .fenced
        case .busyName: .busyName
        }
    }

    package func reserve(
        paths: [Int], operation: Int, by right: NodeRight
    ) throws(StoreError) -> DecisionAnswer {
        let keys = paths.map { FileKey(path: $0) }
        return switch try self.run(ReserveStatement(keys, operation: operation, right)).verdict {
        case .reserved: .decided
        case .fenced: .fenced
        case .busyName: .busyName
        }
    }

    package func decide(reserved operation: Int, by right: NodeRight) throws(StoreError) -> DecisionAnswer {
        switch try self.run(DecideReservedStatement(operation, right)).verdict {
        case .decided: .decided
        case .fenced: .fenced
        case .gone: .gone
        }
    }

    package func abandon(operation: Int, of incarnation: Incarnation) throws(StoreError) {
        _ = try self.run(AbandonStatement(.operation(operation, incarnation.rawValue)))
    }

    package func abandonAll(of departed: Incarnation) throws(StoreError) -> Int {
        try self.run(AbandonStatement(.departed(departed.rawValue))).count
    }

    /// - Returns: whether a row went away.
    package func finish(operation: Int, paths: [Int]) throws(StoreError) -> Bool {
        var finished = false
        for path in Set(paths).sorted() {
            let statement = FinishStatement(FileKey(path: path), operation: operation, completed: true)
            if try self.run(statement).finished { finished = true }
        }
        return finished
    }

    /// By path.
    package func names() -> [NameShape] {
        self.database.tables.names.sorted { $0.key < $1.key }.compactMap { key, row in
            Incarnation(rawValue: row.incarnation).map {
                NameShape(
                    path: key.path, operation: row.operation, incarnation: $0, isDecided: row.isDecided)
            }
        }
    }
}
