package import ClusterPorts
package import HTTPDoor
package import HTTPTypes
import NIOCore
import Synchronization

/// What `GET /watch` asks for.
package struct WatchRequest: Sendable, Equatable {
    package var topics: Set<FeedEntry.Topic>
    /// Where to go on; nil for from now on.
    package var after: FeedPlace?

    /// The header `Last-Event-ID`, which browsers send when they connect again, goes before the parameter.
    package init(_ headers: HTTPFields, _ items: [RequestTarget.QueryItem]) throws(Problem) {
        var reader = try QueryReader(items)
        let all = FeedEntry.Topic.allCases
        self.topics =
            try reader.value("topics", "some of \(all.map(\.rawValue).joined(separator: ","))") { text in
                let names = text.split(separator: ",", omittingEmptySubsequences: false)
                let topics = names.compactMap { FeedEntry.Topic(rawValue: String($0)) }
                return topics.count == names.count ? Set(topics) : nil
            } ?? Set(all)
        let expected = "the id of an event, for example 815-42"
        self.after = try reader.value("after", expected) { FeedPlace($0) }
        try reader.finish()
        guard let last = headers[Self.lastEventID], !last.isEmpty else { return }
        guard let place = FeedPlace(last) else {
            throw Problem(.badRequest, .invalidHeader, "Last-Event-ID is “\(last)”; expected \(expected)")
        }
        self.after = place
    }

    package static let lastEventID = DoorHeader.name("Last-Event-ID")
}

/// One message of the stream, in the format of server-sent events.
package enum WatchMessage {
    private struct Entry: Encodable {
        var at: String
        var topic: String
        var change: String
        var subject: String
        var detail: JSONValue
    }

    package static func text(_ entry: FeedEntry) -> String {
        let detail = (try? BodyFields.value(Array(entry.detail.utf8))) ?? .null
        let data = JSONText.buffer(
            Entry(
                at: Timestamp.text(entry.at), topic: entry.topic.rawValue, change: entry.change,
                subject: entry.subject, detail: detail))
        return "id: \(entry.place)\nevent: \(entry.topic.rawValue)\ndata: \(String(buffer: data))\n\n"
    }

    /// From here on nothing is missed; a client that comes back begins after this.
    package static func begin(_ place: FeedPlace) -> String {
        "retry: 1000\nid: \(place)\nevent: begin\ndata: {}\n\n"
    }

    /// What lies between the client's last event and the oldest that is kept is gone; look at the lists anew.
    package static func missed(_ oldest: FeedPlace) -> String { "id: \(oldest)\nevent: missed\ndata: {}\n\n" }

    /// Nothing happened, and the connection lives.
    package static let still = ": nothing new\n\n"
}

/// Counts the streams that are open.
final class WatcherGauge: Sendable {
    private let open = Atomic(0)
    let limit: Int

    init(limit: Int) { self.limit = limit }

    var isFull: Bool { self.open.load(ordering: .relaxed) >= self.limit }

    /// False when there are as many as may be.
    func enter() -> Bool {
        guard self.open.add(1, ordering: .relaxed).newValue <= self.limit else {
            self.leave()
            return false
        }
        return true
    }

    func leave() { self.open.subtract(1, ordering: .relaxed) }
}
