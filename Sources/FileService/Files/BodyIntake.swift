import ClusterPorts
import NIOCore

/// The bytes of one upload on their way in: each piece is judged before it is passed on.
struct BodyIntake<Body: AsyncSequence & Sendable> where Body.Element == ByteBuffer {
    private var iterator: Body.AsyncIterator
    /// The length that the client announced, in bytes.
    private let expected: Int64?
    private var received: Int64 = 0
    private var patience: StreamPatience
    private let standing: any NodeStanding
    private let transfer: OpenTransfer
    /// Nil while nobody looked, and for accounts without a quota.
    var room: RoomWatch?

    init(
        _ body: Body, expected: Int64?, patience: StreamPatience, standing: any NodeStanding,
        telling transfer: OpenTransfer
    ) {
        self.iterator = body.makeAsyncIterator()
        self.expected = expected
        self.patience = patience
        self.standing = standing
        self.transfer = transfer
    }

    /// Nil at the end of a body that has the length it should have.
    mutating func next() async throws(FileServiceError) -> ByteBuffer? {
        guard let piece = try await self.following() else {
            if let objection = BodyRules.objection(atEnd: self.received, expected: self.expected) {
                throw objection
            }
            return nil
        }
        self.received += Int64(piece.readableBytes)
        if let objection = BodyRules.objection(received: self.received, expected: self.expected)
            ?? self.patience.objection(self.standing.standing(), at: .now)
        {
            throw objection
        }
        if let objection = await self.room?.objection(total: self.received) { throw objection }
        self.transfer.add(Int64(piece.readableBytes))
        return piece
    }

    private mutating func following() async throws(FileServiceError) -> ByteBuffer? {
        do {
            return try await self.iterator.next(isolation: #isolation)
        } catch {
            throw error as? FileServiceError ?? .clientGone("\(error)")
        }
    }
}
