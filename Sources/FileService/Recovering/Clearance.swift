import ClusterModel
import ClusterPorts
import Logging

/// Clears what one dead incarnation left: names, staging, running transfers.
///
/// Each step can be done again, and by two nodes at once.
struct Clearance: Sendable {
    let vault: any FileVault
    let names: any NameStore
    let transfers: any TransferStore
    let segments: any SegmentFiles
    let rollForward: RollForward
    let logger: Logger

    static let page = 1_000

    /// Something could not be cleared yet; the next round goes on.
    struct Unfinished: Error, CustomStringConvertible {
        var description: String
    }

    /// Others wait: what was done stays done, and a later round goes on.
    ///
    /// A call to a mount that hangs is not ended by this; a node whose mount hangs is sick and gives its shards away.
    private static func check(_ latest: ContinuousClock.Instant) throws {
        guard ContinuousClock.now < latest else { throw Unfinished(description: "its time was over") }
    }

    /// The order matters: decisions first, while the dead one's folder marks still hold; then its reservations,
    /// which nobody can decide any more; then its staging, of which no row names anything by then.
    ///
    /// - Parameter latest: begins no other step after that, and fails with ``Unfinished``.
    func clear(_ departed: Incarnation, until latest: ContinuousClock.Instant) async throws {
        try await self.rollForwardAll(of: departed, until: latest)
        let abandoned = try await self.names.abandonAll(of: departed)
        // A page full of reservations may have hidden some.
        try await self.rollForwardAll(of: departed, until: latest)
        let discarded = try await self.clearStaging(of: departed, until: latest)
        let ended = try await self.transfers.endRunning(of: departed, reason: "the node died")
        let isEmpty = abandoned == 0 && discarded == 0 && ended == 0
        self.logger.log(
            level: isEmpty ? .debug : .info,
            "cleared what a departed node left",
            metadata: [
                "incarnation": "\(departed)", "abandoned": "\(abandoned)", "discarded": "\(discarded)",
                "ended": "\(ended)",
            ])
    }

    private func rollForwardAll(of departed: Incarnation, until latest: ContinuousClock.Instant) async throws
    {
        while true {
            try Self.check(latest)
            let rows = try await self.names.unfinished(of: departed, limit: Self.page)
            var finished: [FinishedOperation] = []
            var last: (any Error)?
            var seen: Set<Operation> = []
            for row in rows {
                guard let change = row.change, seen.insert(row.operation).inserted else { continue }
                do {
                    try Self.check(latest)
                    finished.append(
                        try await self.rollForward.carry(row.operation, change, by: departed).finished)
                } catch {
                    last = error
                }
            }
            for start in stride(from: 0, to: finished.count, by: 100) {
                _ = try await self.names.finish(Array(finished[start..<min(start + 100, finished.count)]))
            }
            if let last { throw last }
            if finished.isEmpty { return }
        }
    }

    /// Empties and removes the folder of one that is dead for good.
    ///
    /// Answers how many went.
    func clearStaging(of dead: Incarnation, until latest: ContinuousClock.Instant) async throws -> Int {
        var discarded = 0
        while true {
            try Self.check(latest)
            let count = try await self.discardUseless(
                try await self.vault.staged(of: dead), of: dead, until: latest)
            discarded += count
            if count == 0 { break }
        }
        // What uploads still need stays until they end; then a look through staging takes it away.
        let rest = try await self.vault.staged(of: dead)
        if !rest.isEmpty, try await self.segmentFiles(among: rest, of: dead).count == rest.count {
            return discarded
        }
        if try await !self.vault.removeStaging(of: dead) {
            throw Unfinished(description: "something is still staged for incarnation \(dead)")
        }
        return discarded
    }

    /// Unlinks what was listed and what no row, read after the listing, names.
    ///
    /// Answers how many went.
    func discardUseless(
        _ listed: [StagedName], of incarnation: Incarnation, until latest: ContinuousClock.Instant
    ) async throws -> Int {
        guard !listed.isEmpty else { return 0 }
        let rows = try await self.names.unfinished(of: incarnation, limit: Self.page)
        guard rows.count < Self.page else {
            throw Unfinished(description: "incarnation \(incarnation) has too many unfinished names")
        }
        let segments = try await self.segmentFiles(among: listed, of: incarnation)
        let useless = StagingTriage.useless(listed, named: rows, segments: segments)
        for name in useless {
            try Self.check(latest)
            try await self.vault.discard(name)
        }
        return useless.count
    }

    /// Which of a listing belong to uploads that are not over; of a dead incarnation none comes to it.
    private func segmentFiles(
        among listed: [StagedName], of incarnation: Incarnation
    ) async throws -> Set<StagedName> {
        var kept: Set<StagedName> = []
        let names = Set(listed)
        var last: String?
        while true {
            let page = try await self.segments.segmentFiles(of: incarnation, after: last, limit: Self.page)
            for file in page {
                let name = StagedName(incarnation: incarnation, file: file)
                if names.contains(name) { kept.insert(name) }
            }
            guard page.count == Self.page else { return kept }
            last = page.last
        }
    }
}
