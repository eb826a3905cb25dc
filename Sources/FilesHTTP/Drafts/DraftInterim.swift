import ClusterModel
import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Synchronization

/// `104 Upload Resumption Supported`: tells a client that still sends where its upload is, and how far.
final class DraftInterim: Sendable {
    private let channel: any Channel
    private let version: DraftVersion
    private let told = Mutex<ContinuousClock.Instant>(.now)

    private static let status = HTTPResponse.Status(
        code: 104, reasonPhrase: "Upload Resumption Supported")
    /// Between two that tell how far it is.
    private static let pause: Duration = .seconds(1)

    init(_ version: DraftVersion, on channel: any Channel) {
        self.version = version
        self.channel = channel
    }

    /// Before the body is asked for: where the upload is.
    func begin(_ upload: Upload) async throws {
        try await self.channel.writeAndFlush(
            self.head([
                .location: TusHeaders.location(upload.id),
                DraftHeaders.limit: DraftHeaders.limit(upload, self.version),
            ]))
    }

    /// On the way; a client that does not read them has its answer all the same.
    func noted(_ durable: Int64) {
        let isDue = self.told.withLock { told in
            guard ContinuousClock.now - told >= Self.pause else { return false }
            told = .now
            return true
        }
        guard isDue else { return }
        self.channel.writeAndFlush(self.head([TusHeaders.offset: "\(durable)"]), promise: nil)
    }

    private func head(_ fields: HTTPFields) -> HTTPResponsePart {
        var fields = fields
        fields[DraftHeaders.version] = self.version.rawValue
        return .head(HTTPResponse(status: Self.status, headerFields: fields))
    }
}
