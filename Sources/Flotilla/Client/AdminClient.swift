import AsyncHTTPClient
import Foundation
import HTTPDoor
import NIOCore
import NIOHTTP1

/// Asks a node's admin door and says its refusals in one line.
struct AdminClient: Sendable {
    let access: AdminAccess
    let http: HTTPClient

    /// Larger answers are refused.
    private static let longestAnswer = 16 << 20

    /// Opens a client for as long as the work takes.
    static func with<Value: Sendable>(
        _ options: AdminOptions, _ work: (AdminClient) async throws -> Value
    ) async throws -> Value {
        let access = try options.access()
        var configuration = HTTPClient.Configuration()
        // Nobody listens: a person wants to know at once, not after half a minute of trying.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.timeout.connect = .seconds(5)
        // A stream says something every ten seconds; one that is silent for longer is paused or cut off.
        configuration.timeout.read = .seconds(30)
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let value = try await work(AdminClient(access: access, http: http))
            try await http.shutdown()
            return value
        } catch {
            try? await http.shutdown()
            throw error
        }
    }

    /// The answer's bytes; throws ``ClientFailure`` for everything but success.
    ///
    /// - Parameter path: Below `/api/v1`, already percent-encoded.
    func send(
        _ method: String, _ path: String, query: [(String, String)] = [],
        body: (any Encodable & Sendable)? = nil, headers: [(String, String)] = []
    ) async throws -> Data {
        var request = self.request(method, path, query: query)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(JSONText.buffer(body))
        }
        let response: HTTPClientResponse
        let bytes: ByteBuffer
        do {
            response = try await self.http.execute(request, timeout: .seconds(30))
            bytes = try await response.body.collect(upTo: Self.longestAnswer)
        } catch {
            throw self.unreachable(error)
        }
        guard (200..<300).contains(response.status.code) else {
            throw ClientFailure(
                Self.refusal(status: response.status.code, body: Data(bytes.readableBytesView)))
        }
        return Data(bytes.readableBytesView)
    }

    /// A request with the token, and no body yet.
    func request(_ method: String, _ path: String, query: [(String, String)]) -> HTTPClientRequest {
        let items = query.map { "\(PercentCoding.encode($0.0.utf8))=\(PercentCoding.encode($0.1.utf8))" }
        let address =
            "\(self.access.base)/api/v1\(path)" + (items.isEmpty ? "" : "?" + items.joined(separator: "&"))
        var request = HTTPClientRequest(url: address)
        request.method = .RAW(value: method)
        request.headers.add(name: "authorization", value: "Bearer \(self.access.token)")
        return request
    }

    /// What is said of a node that did not answer.
    func unreachable(_ error: any Error) -> ClientFailure {
        let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
        return ClientFailure("cannot reach \(self.access.base): \(reason)")
    }

    func value<Value: Decodable>(
        _ type: Value.Type, _ method: String, _ path: String, query: [(String, String)] = [],
        body: (any Encodable & Sendable)? = nil
    ) async throws -> Value {
        try JSONText.value(type, from: try await self.send(method, path, query: query, body: body))
    }

    private struct ProblemDocument: Decodable {
        var title: String
        var detail: String?
    }

    static func refusal(status: UInt, body: Data) -> String {
        guard let problem = try? JSONText.value(ProblemDocument.self, from: body) else {
            return "the node answered with status \(status)"
        }
        return problem.detail.map { "\(problem.title): \($0)" } ?? problem.title
    }
}
