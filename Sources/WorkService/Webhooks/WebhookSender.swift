import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization

/// How long a receiver may take.
package struct WebhookTimes: Hashable, Sendable {
    package var connect: Duration = .seconds(5)
    /// From the first attempt to connect until the answer's head has come.
    package var whole: Duration = .seconds(30)
    /// For the body after the head; the status has decided already.
    package var body: Duration = .seconds(5)

    package init() {}
}

/// A request as it goes out.
package struct WebhookRequest: Sendable {
    package var address: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(address: String, headers: [(name: String, value: String)], body: [UInt8]) {
        self.address = address
        self.headers = headers
        self.body = body
    }
}

/// Sends messages to receivers; one for the whole node.
///
/// Run it in front of whoever claims jobs: services stop backwards, so what is in flight then ends before the connections
/// are closed.
package final class WebhookSender: Service {
    private let client: HTTPClient
    private let times: WebhookTimes
    let shares: Mutex<ReceiverShares>

    /// Of an answer's body, bytes that are kept and bytes that are read so that the connection can be used again.
    package static let kept = 1_024
    package static let read = 65_536
    /// To one receiver at a time.
    ///
    /// Who claims has a lower bound.
    private static let connectionsEach = 64

    /// - Parameter slots: jobs that the node works on at a time; one receiver gets a part of them.
    package init(times: WebhookTimes = WebhookTimes(), reach: ReceiverReach, slots: Int) {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = .nanoseconds(Self.nanoseconds(times.connect))
        configuration.timeout.read = .nanoseconds(Self.nanoseconds(times.whole))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.connectionsEach
        let check = Self.check(reach)
        configuration.http1_1ConnectionDebugInitializer = check
        configuration.http2ConnectionDebugInitializer = check
        self.client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        self.times = times
        self.shares = Mutex(ReceiverShares(slots: slots))
    }

    /// Runs on each new connection, before anything is sent over it.
    private static func check(_ reach: ReceiverReach) -> @Sendable (any Channel) -> EventLoopFuture<Void> {
        { channel in
            guard let address = channel.remoteAddress, reach.allows(address) else {
                let shown = channel.remoteAddress?.ipAddress ?? "an unknown address"
                let refused: EventLoopFuture<Void> = channel.eventLoop.makeFailedFuture(
                    ReceiverOutOfReach(address: shown, reach: reach))
                // After the client has heard of it, to which the connection is still one that begins.
                channel.eventLoop.execute { channel.close(promise: nil) }
                return refused
            }
            return channel.eventLoop.makeSucceededVoidFuture()
        }
    }

    package func run() async throws {
        try? await gracefulShutdown()
        try await self.close()
    }

    /// For who does not run it as a service.
    package func close() async throws { try await self.client.shutdown() }

    /// Posts once; never throws, never follows a redirect, and ends within connect, whole and body times.
    package func post(_ message: WebhookRequest) async -> DeliveryAnswer {
        var request = HTTPClientRequest(url: message.address)
        request.method = .POST
        for header in message.headers { request.headers.add(name: header.name, value: header.value) }
        request.body = .bytes(message.body)
        do {
            let deadline = NIODeadline.now() + .nanoseconds(Self.nanoseconds(self.times.whole))
            let response = try await self.client.execute(request, deadline: deadline)
            let body = await Self.beginning(of: response.body, within: self.times.body)
            return .answered(
                status: Int(response.status.code),
                retryAfter: RetryPlan.asked(
                    response.headers.first(name: "retry-after"), date: response.headers.first(name: "date")),
                excerpt: AnswerExcerpt.text(body))
        } catch {
            return .unanswered(reason: Self.reason(error))
        }
    }

    /// What came of the body until it ended, broke, was long enough, or took too long.
    private static func beginning(of body: HTTPClientResponse.Body, within limit: Duration) async -> [UInt8] {
        await withTaskGroup(of: [UInt8]?.self) { group in
            group.addTask {
                var kept: [UInt8] = []
                var count = 0
                do {
                    for try await piece in body {
                        count += piece.readableBytes
                        kept.append(contentsOf: piece.readableBytesView.prefix(Self.kept - kept.count))
                        if count > Self.read { break }
                    }
                } catch {
                    // The status has decided; a body that breaks off changes nothing.
                }
                return kept
            }
            group.addTask {
                try? await Task.sleep(for: limit)
                return nil
            }
            var kept: [UInt8] = []
            for await answer in group {
                if let answer {
                    kept = answer
                    group.cancelAll()
                    break
                }
                group.cancelAll()
            }
            return kept
        }
    }

    /// One line for people.
    private static func reason(_ error: any Error) -> String {
        if let error = error as? HTTPClientError {
            if error == .connectTimeout { return "no connection in time" }
            if error == .deadlineExceeded || error == .readTimeout { return "no answer in time" }
            if error == .remoteConnectionClosed { return "the connection was closed before an answer" }
            if error == .cancelled { return "it was broken off here" }
        }
        if let error = error as? ReceiverOutOfReach { return error.description }
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        return AnswerExcerpt.text(Array("\(error)".utf8.prefix(200)))
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        let parts = duration.components
        return parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000
    }
}

/// A receiver's words, made harmless.
enum AnswerExcerpt {
    /// Control characters become blanks: the text goes into the database, into terminals and into logs.
    static func text(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
            scalar.properties.generalCategory == .control ? " " : scalar
        }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: scalars)
        return String(result).trimmingCharacters(in: .whitespaces)
    }
}
