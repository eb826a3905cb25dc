import ClusterPorts
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import ServiceLifecycle

/// The stream of what happens, as server-sent events.
///
/// The feed is read twice a second for each open stream, and no more often however much happens; a client that takes
/// nothing is cut by the door. When the database is away the stream says nothing new until it is back.
extension AdminResponder {
    /// Between two looks at the feed.
    private static let period = Duration.milliseconds(500)
    /// Looks without anything new between two signs of life.
    private static let quietLooks = 20
    private static let batch = 500

    func watch(
        _ request: Request, _ items: [RequestTarget.QueryItem], _ context: DoorContext
    ) async throws(Problem) -> Response {
        // A stream without its body says nothing, and its length is not known.
        guard request.method == .get else {
            throw Problem.methodNotAllowed(request.method, allowed: "GET")
        }
        let asked = try WatchRequest(request.headers, items)
        let ends = try await self.onStore { () async throws(StoreError) in try await self.feed.feedEnds() }
        guard !self.watchers.isFull else {
            throw Problem(
                .serviceUnavailable, .tooBusy, "\(self.watchers.limit) streams are open on this node already"
            ).retrying(after: 5)
        }
        let place = WatchPlace(asked, ends: ends)
        let client = await context.presence()
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                // Here and not above: a body that nobody takes never begins.
                if self.watchers.enter() {
                    defer { self.watchers.leave() }
                    try await self.write(place, topics: asked.topics, to: &writer, of: client)
                }
                try await writer.finish(nil)
            })
    }

    @concurrent private func write(
        _ start: WatchPlace, topics: Set<FeedEntry.Topic>, to writer: inout any ResponseBodyWriter,
        of client: ClientPresence
    ) async throws {
        var place = start.place
        try await writer.write(ByteBuffer(string: start.greeting))
        var quiet = 0
        // Before each look: one that is gone keeps its place from others no longer than that.
        while !Task.isCancelled, !Task.isShuttingDownGracefully, !client.isGone {
            let page =
                (try? await self.feed.feed(after: place, topics: topics, limit: Self.batch))
                ?? FeedPage(nothingAfter: place)
            place = page.reached
            if !page.entries.isEmpty {
                quiet = 0
                try await writer.write(ByteBuffer(string: page.entries.map(WatchMessage.text).joined()))
            }
            if page.hasMore { continue }
            if page.entries.isEmpty {
                quiet += 1
                if quiet % Self.quietLooks == 0 {
                    try await writer.write(ByteBuffer(string: WatchMessage.still))
                }
            }
            await client.pause(Self.period)
        }
    }
}

/// Where a stream begins, and what it says first.
struct WatchPlace: Sendable, Equatable {
    var place: FeedPlace
    var greeting: String

    init(_ asked: WatchRequest, ends: (oldest: FeedPlace, newest: FeedPlace)) {
        guard let after = asked.after else {
            self.place = ends.newest
            self.greeting = WatchMessage.begin(ends.newest)
            return
        }
        if after > ends.newest {
            // Of another database, or of this one before it was restored: what comes would not reach that place for long.
            self.place = ends.newest
            self.greeting = WatchMessage.missed(ends.newest)
        } else if after.number < ends.oldest.number {
            self.place = ends.oldest
            self.greeting = WatchMessage.missed(ends.oldest)
        } else {
            // Numbers are given one by one; all up to the oldest place's are gone.
            self.place = after
            self.greeting = WatchMessage.begin(after)
        }
    }
}
