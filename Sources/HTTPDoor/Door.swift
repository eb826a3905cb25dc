package import ClusterModel
package import ClusterPorts
package import HTTPTypes
package import Hummingbird
import Logging
import Synchronization

/// What stands behind a door once its request is taken apart.
package protocol DoorService: Sendable {
    /// Refuses by throwing a ``Problem``.
    func answer(_ request: Request, to target: RequestTarget, context: DoorContext) async throws -> Response
}

/// Answers health, turns errors into problem documents, names request and node in each answer, counts
/// requests and refuses those that would be too many.
package struct Door<Inside: DoorService>: HTTPResponder {
    let inside: Inside
    let standing: any NodeStanding
    let gauge: RequestGauge
    let requestsMax: Int?
    private let turns = Turns()

    /// - Parameter requestsMax: With so many requests in hand at the node, this door refuses more; nil never refuses.
    package init(
        _ inside: Inside, standing: any NodeStanding, gauge: RequestGauge, requestsMax: Int? = nil
    ) {
        self.inside = inside
        self.standing = standing
        self.gauge = gauge
        self.requestsMax = requestsMax
    }

    package func respond(to request: Request, context: DoorContext) async throws -> Response {
        // Who sends many requests at once, each of which needs nobody else, must not keep the thread from others.
        if self.turns.isOver() { await Task.yield() }
        var response = await self.answer(request, context: context)
        response.headers[DoorHeader.requestID] = context.id
        if let node = self.standing.standing().name { response.headers[DoorHeader.node] = node.description }
        context.logger.debug(
            "request answered",
            metadata: [
                "http.method": "\(request.method)", "http.target": "\(request.head.path ?? "")",
                "http.status": "\(response.status.code)",
            ])
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: Request, context: DoorContext) async -> Response {
        do {
            let target = try RequestTarget(request.head.path ?? "")
            // Health is neither counted nor refused: it tells how the node is when everything else is stuck.
            guard let question = Health.question(target) else {
                return try await self.admitted(request, to: target, context: context)
            }
            guard request.method == .get || request.method == .head else {
                throw Problem.methodNotAllowed(request.method, allowed: "GET, HEAD")
            }
            return Health.response(question, standing: self.standing)
        } catch let problem as Problem {
            return problem.response
        } catch {
            context.logger.error("request failed", metadata: ["error": "\(error)"])
            return Problem(
                .internalServerError, .failed, "the node's log has more under request \(context.id)"
            ).response
        }
    }
}

/// Tells from time to time that others should have their turn.
private final class Turns: Sendable {
    private static let length: UInt32 = 64
    private let requests = Atomic<UInt32>(0)

    func isOver() -> Bool {
        self.requests.wrappingAdd(1, ordering: .relaxed).newValue.isMultiple(of: Self.length)
    }
}

extension Door {
    private func admitted(
        _ request: Request, to target: RequestTarget, context: DoorContext
    ) async throws -> Response {
        if let limit = self.requestsMax {
            guard self.gauge.begin(atMost: limit) else { throw Problem.tooManyRequests(limit) }
        } else {
            self.gauge.begin()
        }
        defer { self.gauge.end() }
        guard !Self.hasBody(request) else {
            return try await self.inside.answer(request, to: target, context: context)
        }
        // How long it takes to receive something says more about the client than about the node.
        let begun = ContinuousClock.now
        defer { self.gauge.answered(in: begun.duration(to: .now)) }
        return try await self.inside.answer(request, to: target, context: context)
    }

    private static func hasBody(_ request: Request) -> Bool {
        request.headers[.transferEncoding] != nil || (request.headers[.contentLength] ?? "0") != "0"
    }
}

package enum DoorHeader {
    /// Also in the node's log.
    package static let requestID = Self.name("X-Request-Id")
    /// The node that answered.
    package static let node = Self.name("Flotilla-Node")

    /// For names that are written down in the program, and so are known to be well formed.
    package static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else {
            preconditionFailure("“\(text)” is no header field's name")
        }
        return name
    }
}

extension Problem {
    package static func methodNotAllowed(_ method: HTTPRequest.Method, allowed: String) -> Problem {
        Problem(.methodNotAllowed, .methodNotAllowed, "\(method) is not one of \(allowed)").with(
            header: .allow, allowed)
    }

    package static func tooManyRequests(_ limit: Int) -> Problem {
        Problem(
            .serviceUnavailable, .tooBusy,
            "the node has \(limit) requests in hand, which is its limit; another node may have room"
        ).retrying(after: 1)
    }

    package static func noRoute(_ path: String) -> Problem {
        Problem(.notFound, .noRoute, "nothing is served at \(path)")
    }
}

extension Standing {
    /// The node's name, where it has one.
    package var name: NodeName? {
        switch self {
        case .outside: nil
        case .serving(let right, _), .draining(let right, _), .stale(let right), .isolated(let right),
            .sick(let right, _):
            right.name
        }
    }
}
