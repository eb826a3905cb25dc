import ClusterModel
import ClusterPorts

/// Keeps folders still while they are moved or removed: nothing is decided below them, and nothing decided before
/// is left undone.
extension NameChanger {
    /// Runs a change while the folders are marked, and gives the marks up afterwards.
    ///
    /// A change that may be carried out later keeps them until then: what is published below the folder meanwhile
    /// would go away with it.
    func holding<Value: Sendable>(
        _ folders: [HomePath], for operation: Operation, by right: NodeRight,
        _ change: () async throws(ChangeFailure) -> Value
    ) async throws(ChangeFailure) -> Value {
        try await self.mark(folders, for: operation, by: right)
        do {
            for folder in folders { try await self.drain(below: folder, of: operation) }
            let value = try await change()
            await self.release(folders, of: operation, by: right)
            return value
        } catch {
            if error.isNamed {
                self.aftercare.add(.marks(folders, operation, right))
            } else {
                await self.release(folders, of: operation, by: right)
            }
            throw error
        }
    }

    private func mark(_ folders: [HomePath], for operation: Operation, by right: NodeRight)
        async throws(ChangeFailure)
    {
        var patience = ConflictPatience(self.patience, from: .now)
        while true {
            try self.checkRight(right)
            let answer: DecisionAnswer
            do {
                answer = try await self.names.mark(folders: folders, for: operation, by: right)
            } catch {
                await self.release(folders, of: operation, by: right)
                if case .mayHaveRun = error { self.aftercare.add(.marks(folders, operation, right)) }
                throw ChangeFailure(FileServiceError(error))
            }
            if answer == .decided { return }
            do {
                try await self.clearTheWay(answer, folders, of: operation.account, &patience)
            } catch {
                throw ChangeFailure(error)
            }
        }
    }

    /// Carries out what was decided below the folder before it was marked, and waits for what is only reserved.
    private func drain(below folder: HomePath, of operation: Operation) async throws(ChangeFailure) {
        var patience = ConflictPatience(self.patience, from: .now)
        do {
            while true {
                let rows = try await onStore { () async throws(StoreError) in
                    try await self.names.unfinished(account: operation.account, below: folder, limit: 100)
                }
                if rows.isEmpty { return }
                var helped = false
                for row in rows where row.change != nil && row.operation.id != operation.id {
                    try await self.help(row)
                    helped = true
                }
                // Of this very operation: a folder is never moved below itself.
                if rows.allSatisfy({ $0.operation.id == operation.id }) { return }
                guard let pause = patience.next(at: .now, chance: .random(in: 0...1)) else {
                    throw FileServiceError.busy(folder, retryAfterSeconds: 1)
                }
                if !helped { try await Task.sleep(for: pause) }
            }
        } catch {
            throw ChangeFailure(
                error as? FileServiceError
                    ?? .notServing(reason: "this node is stopping", retryAfterSeconds: 1))
        }
    }

    private func release(_ folders: [HomePath], of operation: Operation, by right: NodeRight) async {
        do throws(StoreError) {
            try await self.names.release(folders: folders, of: operation, by: right)
        } catch {
            self.aftercare.add(.marks(folders, operation, right))
        }
    }
}
