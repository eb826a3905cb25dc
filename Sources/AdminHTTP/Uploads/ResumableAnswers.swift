package import ClusterModel
package import Foundation

/// One resumable upload.
package struct ResumableAnswer: Sendable, Equatable, Codable {
    package var id: String
    package var account: String
    package var dialect: String
    /// “partial” for one that becomes a part of another.
    package var part: String
    package var path: String?
    /// Only where the path is not UTF-8.
    package var pathBase64: String?
    package var state: String
    package var length: Int64?
    /// Foretold by the client, which will say itself when all is there.
    package var announced: Int64?
    package var durable: Int64
    /// Durable bytes a second over the last few; 0 when nothing was noted for ten.
    package var rate: Double
    package var epoch: Int64?
    /// Of whoever took it last.
    package var node: String?
    package var incarnation: Int64?
    package var client: String?
    package var begunAt: Date
    package var changedAt: Date
    package var expiresAt: Date
    /// What it is put together from.
    package var parts: [String]
    package var partOf: String?
    /// A node puts its bytes together, or reads them.
    package var workedOn: Bool
    package var sha256: String?
    package var reason: String?

    package init(_ upload: Upload, _ newest: UploadSegment?) {
        self.id = upload.id.description
        self.account = upload.accountName.description
        self.dialect = upload.dialect.rawValue
        self.part = upload.part.rawValue
        self.path = upload.path?.description
        self.pathBase64 = upload.path.flatMap(AnsweredPath.base64)
        self.state = upload.status.rawValue
        self.length = upload.length
        self.announced = upload.announced
        self.durable = upload.durable
        self.rate = AnsweredRate.value(upload.rate)
        self.epoch = upload.epoch?.rawValue
        self.node = newest?.node.description
        self.incarnation = upload.incarnation?.rawValue
        self.client = newest?.client
        self.begunAt = upload.createdAt
        self.changedAt = upload.changedAt
        self.expiresAt = upload.expiresAt
        self.parts = upload.parts.map(\.description)
        self.partOf = upload.partOf?.description
        self.workedOn = upload.isWorkedOn
        self.sha256 = upload.digest?.description
        self.reason = upload.reason
    }
}

/// What one epoch wrote of an upload.
package struct SegmentAnswer: Sendable, Equatable, Codable {
    package var number: Int
    package var epoch: Int64
    package var node: String
    package var incarnation: Int64
    package var client: String
    /// Its first byte's place in the upload.
    package var begin: Int64
    /// Behind its last durable byte.
    package var durable: Int64
    package var begunAt: Date

    package init(_ segment: UploadSegment) {
        self.number = segment.number
        self.epoch = segment.epoch.rawValue
        self.node = segment.node.description
        self.incarnation = segment.incarnation.rawValue
        self.client = segment.client
        self.begin = segment.begin
        self.durable = segment.end
        self.begunAt = segment.begunAt
    }
}

/// One resumable upload, and who wrote which part of it.
package struct ResumableStoryAnswer: Sendable, Equatable, Codable {
    package var upload: ResumableAnswer
    package var segments: [SegmentAnswer]

    package init(_ upload: Upload, _ segments: [UploadSegment]) {
        self.upload = ResumableAnswer(upload, segments.last)
        self.segments = segments.map(SegmentAnswer.init)
    }
}

enum AnsweredPath {
    /// Nil where the path is UTF-8.
    static func base64(_ path: HomePath) -> String? {
        String(validating: path.bytes, as: UTF8.self) == nil ? Data(path.bytes).base64EncodedString() : nil
    }
}

enum AnsweredRate {
    /// Whole bytes a second say enough, and what is no number says nothing.
    static func value(_ rate: Double) -> Double { rate.isFinite ? max(0, rate.rounded()) : 0 }
}
