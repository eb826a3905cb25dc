import ClusterModel
package import ClusterPorts
import Foundation
package import HTTPTypes
import Hummingbird
import Synchronization

/// An answer that is there as soon as the request is.
package struct ReadyAnswer: Sendable {
    /// With its content length.
    package var head: HTTPResponse
    /// In memory, of the process or the system: ``bytesMax`` at most.
    package var body: FilePiece
    /// Runs once, on the connection's thread: when the system has taken all of it (true), or never will (false).
    package var ended: @Sendable (Bool) -> Void

    /// In bytes; longer ones go the long way, which looks at the file again as it goes.
    package static let bytesMax = 4 << 20

    package init(head: HTTPResponse, body: FilePiece, ended: @escaping @Sendable (Bool) -> Void) {
        self.head = head
        self.body = body
        self.ended = ended
    }
}

/// What a connection remembers from one request that was answered on the spot to the next.
package struct ReadyNotes: Sendable {
    /// The address of the other end.
    package let peer: String
    /// What the last request showed to be let in, and whatever was found out about it.
    package var credentials: (shown: [UInt8], found: any Sendable)?

    package init(peer: String) { self.peer = peer }
}

/// Answers some requests on the spot.
///
/// It is asked on the connection's thread, and neither waits nor blocks: nil sends the request the long way, where
/// errors are made too.
package protocol ReadyService: Sendable {
    func readyAnswer(to request: PlainRequest, target: RequestTarget, notes: inout ReadyNotes) -> ReadyAnswer?
}

/// What a door answers on the spot, with all that it puts around every answer.
protocol ReadyResponder: Sendable {
    func readyAnswer(to request: PlainRequest, _ notes: inout ReadyNotes) -> ReadyAnswer?
}

extension Door: ReadyResponder {
    func readyAnswer(to request: PlainRequest, _ notes: inout ReadyNotes) -> ReadyAnswer? {
        guard let inside = self.inside as? any ReadyService,
            let target = try? RequestTarget(path: request.path),
            self.requestsMax.map({ self.gauge.sample().inFlight < $0 }) ?? true
        else { return nil }
        let begun = ContinuousClock.now
        guard var answer = inside.readyAnswer(to: request, target: target, notes: &notes) else { return nil }
        let gauge = self.gauge
        gauge.begin()
        answer.head.headerFields[DoorHeader.requestID] = "\(RequestID())"
        if let node = self.standing.standing().name {
            answer.head.headerFields[DoorHeader.node] = node.description
        }
        answer.head.headerFields[.date] = DateNow.text
        answer.head.headerFields[.server] = "flotilla"
        answer.ended = { [ended = answer.ended] isSent in
            gauge.end()
            ended(isSent)
        }
        gauge.answered(in: begun.duration(to: .now))
        return answer
    }
}

/// The `Date` field, made once a second.
private enum DateNow {
    private static let made = Mutex<(second: Int64, text: String)>((-1, ""))

    static var text: String {
        let second = Int64(Date().timeIntervalSince1970)
        return Self.made.withLock { made in
            if made.second != second { made = (second, HTTPDate.text(seconds: second)) }
            return made.text
        }
    }
}
