package import ClusterModel
package import ClusterPorts
import HTTPTypes
package import Hummingbird

/// What `/health/…` answers, without credentials.
package enum Health {
    package enum Question: String, CaseIterable, Sendable {
        /// Does the process answer?
        case live
        /// May requests be sent here?
        case ready
        /// Has the node joined since it was started?
        case startup
    }

    package struct Answer: Sendable, Equatable, Codable {
        package var status: String
        /// Why it is not well.
        package var reason: String?
    }

    /// Nil when the path is not one of health's.
    package static func question(_ target: RequestTarget) -> Question? {
        guard target.components.count == 2, target.components[0].elementsEqual("health".utf8) else {
            return nil
        }
        return Question(rawValue: String(decoding: target.components[1], as: UTF8.self))
    }

    package static func answer(_ question: Question, standing: Standing, hasJoined: Bool) -> Answer {
        switch question {
        case .live: Answer(status: "ok")
        case .startup: hasJoined ? Answer(status: "ok") : Answer(status: "starting", reason: Self.notJoined)
        case .ready:
            switch standing {
            case .serving: Answer(status: "ok")
            case .outside: Answer(status: "unavailable", reason: Self.reason(standing))
            case .draining: Answer(status: "draining", reason: Self.reason(standing))
            case .stale, .isolated, .sick: Answer(status: "unavailable", reason: Self.reason(standing))
            }
        }
    }

    private static let notJoined = "the node has not joined the cluster yet"

    /// Why a node in this standing is not ready; nil when it is.
    package static func reason(_ standing: Standing) -> String? {
        switch standing {
        case .serving: nil
        case .outside: "the node is not a member of the cluster"
        case .draining: "the node is draining"
        case .stale: "no heartbeat of the node was acknowledged for a second"
        case .isolated: "the node is cut off from the database"
        case .sick(_, let reason): reason
        }
    }

    package static func response(_ question: Question, standing: any NodeStanding) -> Response {
        let answer = Self.answer(question, standing: standing.standing(), hasJoined: standing.view() != nil)
        return JSONText.response(answer.status == "ok" ? .ok : .serviceUnavailable, answer)
    }
}
