package import struct Foundation.Date

/// What happened in the cluster, in the order of transactions: for watching, never for deciding.
package protocol FeedStore: Sendable {
    /// Entries after a place, oldest first; looks at `limit` entries of all topics (1 to 1,000), whichever are wanted.
    ///
    /// Nothing appears later before what was answered: entries wait until every older transaction has ended.
    func feed(after place: FeedPlace, topics: Set<FeedEntry.Topic>, limit: Int) async throws(StoreError)
        -> FeedPage

    /// The place after everything that could be read now, and the place before the oldest entry that is kept.
    func feedEnds() async throws(StoreError) -> (oldest: FeedPlace, newest: FeedPlace)
}

/// What was found behind a place.
package struct FeedPage: Sendable, Hashable {
    /// Those of the topics that were asked for.
    package var entries: [FeedEntry]
    /// Where to go on; also past entries of other topics, so that nobody looks at them twice.
    package var reached: FeedPlace
    /// Whether as many were looked at as were allowed, so that there may be more.
    package var hasMore: Bool

    package init(entries: [FeedEntry], reached: FeedPlace, hasMore: Bool) {
        self.entries = entries
        self.reached = reached
        self.hasMore = hasMore
    }

    package init(nothingAfter place: FeedPlace) {
        self.init(entries: [], reached: place, hasMore: false)
    }
}

/// A place in the feed: after the entry that has these numbers.
package struct FeedPlace: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The transaction, and the entry in it.
    package var transaction: Int64
    package var number: Int64

    package init(transaction: Int64, number: Int64) {
        self.transaction = transaction
        self.number = number
    }

    /// Reads what ``description`` shows; nil for other texts.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let transaction = Int64(parts[0]), let number = Int64(parts[1]),
            transaction >= 0, number >= 0, "\(transaction)-\(number)" == text
        else { return nil }
        self.init(transaction: transaction, number: number)
    }

    package var description: String { "\(self.transaction)-\(self.number)" }

    package static func < (left: FeedPlace, right: FeedPlace) -> Bool {
        (left.transaction, left.number) < (right.transaction, right.number)
    }
}

package struct FeedEntry: Sendable, Hashable {
    package enum Topic: String, Sendable, CaseIterable {
        /// Joins, deaths, drains, attributes, the leader: what makes a new view.
        case membership
        /// Leases that were taken away: swept or forced.
        case lease
        /// Jobs that failed for good, were cancelled or sent back.
        case job
        /// Shards: who should have one, and who took it.
        case shard
    }

    package var place: FeedPlace
    package var at: Date
    package var topic: Topic
    /// What happened, in a word or a line.
    package var change: String
    /// Whom or what it is about: a node's name, a lease's subject.
    package var subject: String
    /// More, as a JSON object.
    package var detail: String

    package init(place: FeedPlace, at: Date, topic: Topic, change: String, subject: String, detail: String) {
        self.place = place
        self.at = at
        self.topic = topic
        self.change = change
        self.subject = subject
        self.detail = detail
    }
}
