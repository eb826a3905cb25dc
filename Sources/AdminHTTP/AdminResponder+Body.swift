import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// The bodies of requests.
extension AdminResponder {
    /// The whole body, refused above ``longestBody``.
    func body(of request: Request, _ channel: any Channel) async throws -> [UInt8] {
        if let type = request.headers[.contentType] {
            let essence = type.lowercased().prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }
            guard essence == "application/json" else {
                throw Problem(
                    .unsupportedMediaType, .unsupportedMediaType,
                    "the body is “\(type)”; it must be application/json")
            }
        }
        if request.headers[.expect]?.lowercased() == "100-continue" {
            try await BodyInvitation.send(on: channel)
        }
        var bytes: [UInt8] = []
        for try await piece in request.body {
            guard bytes.count + piece.readableBytes <= Self.longestBody else {
                throw Problem(
                    .contentTooLarge, .tooLarge, "the body may have \(Self.longestBody) bytes at most")
            }
            bytes.append(contentsOf: piece.readableBytesView)
        }
        return bytes
    }
}
