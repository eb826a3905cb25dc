package import ClusterModel
import ClusterPorts
package import FileService
package import Foundation

/// One open transfer.
package struct SessionAnswer: Sendable, Equatable, Codable {
    package var node: String
    package var incarnation: Int64
    /// “upload” or “download”.
    package var kind: String
    package var account: String
    package var path: String
    /// Only where the path is not UTF-8.
    package var pathBase64: String?
    package var `protocol`: String
    package var client: String
    /// Moved so far by this request.
    package var bytes: Int64
    /// Bytes a second over the last few.
    package var rate: Double
    package var since: Date
    /// The resumable upload that it goes on with.
    package var uploadId: String?

    package init(_ session: TransferSession) {
        let record = session.record
        self.node = record.origin.node.description
        self.incarnation = record.incarnation.rawValue
        self.kind = record.kind.rawValue
        self.account = record.account.description
        self.path = record.path.description
        self.pathBase64 = AnsweredPath.base64(record.path)
        self.protocol = record.origin.protocol
        self.client = record.origin.client
        self.bytes = record.size
        self.rate = AnsweredRate.value(session.rate)
        self.since = record.origin.startedAt
        self.uploadId = session.upload?.description
    }
}

/// The open transfers of one node.
package struct NodeSessionsAnswer: Sendable, Equatable, Codable {
    /// The oldest ones; at most ``most``.
    package var items: [SessionAnswer]
    /// How many there are.
    package var total: Int

    /// What one node tells at a time, so that an answer stays below a few MiB.
    package static let most = 5_000

    package init(_ sessions: [TransferSession]) {
        self.items = sessions.prefix(Self.most).map(SessionAnswer.init)
        self.total = sessions.count
    }
}

/// `GET /sessions`.
package struct SessionsAnswer: Sendable, Equatable, Codable {
    /// The oldest ones first.
    package var items: [SessionAnswer]
    /// How many open transfers the nodes that answered told of, before filters.
    package var total: Int
    /// Some fit and are not shown: beyond the limit, or beyond what one node tells.
    package var more: Bool
    /// Whether some node did not answer.
    package var partial: Bool
    package var missingNodes: [String]

    package init(
        _ answers: [NodeSessionsAnswer], missing: [NodeName], filters: SessionFilters
    ) {
        let found = answers.flatMap(\.items).filter(filters.fits)
            .sorted { ($0.since, $0.node, $0.path) < ($1.since, $1.node, $1.path) }
        self.items = Array(found.prefix(filters.limit))
        self.total = answers.reduce(0) { $0 + $1.total }
        self.more = found.count > filters.limit || answers.contains { $0.total > $0.items.count }
        self.partial = !missing.isEmpty
        self.missingNodes = missing.map(\.description).sorted()
    }
}
