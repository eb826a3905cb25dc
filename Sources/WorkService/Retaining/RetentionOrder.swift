import Foundation

/// What a job of retention is to forget: its payload, `{"transfer_days": 90, "event_days": 30}`.
package struct RetentionOrder: Hashable, Sendable {
    /// Nil keeps them all.
    package var transfers: Duration?
    package var events: Duration?

    /// A day to a hundred years: nobody deletes by a slip what happened today.
    package static let days = 1...36_500

    private struct Payload: Decodable {
        var transferDays: Int?
        var eventDays: Int?
    }

    /// Nil when the text says nothing that can be done.
    package init?(_ payload: String) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let asked = try? decoder.decode(Payload.self, from: Data(payload.utf8)),
            asked.transferDays != nil || asked.eventDays != nil,
            [asked.transferDays, asked.eventDays].allSatisfy({ $0.map(Self.days.contains) ?? true })
        else { return nil }
        self.transfers = asked.transferDays.map { .seconds($0 * 86_400) }
        self.events = asked.eventDays.map { .seconds($0 * 86_400) }
    }
}
