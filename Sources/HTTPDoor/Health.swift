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
        /// How a node that is not ready stands with its cluster.
        package var standing: String?
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
        case .ready: Self.readiness(standing)
        }
    }

    private static func readiness(_ standing: Standing) -> Answer {
        func not(_ status: String) -> Answer {
            Answer(status: status, reason: Self.reason(standing), standing: standing.word)
        }
        return switch standing {
        case .serving: Answer(status: "ok")
        case .draining: not("draining")
        case .outside, .stale, .isolated, .sick: not("unavailable")
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

extension Standing {
    /// The word that answers have for it.
    package var word: String {
        switch self {
        case .outside: "outside"
        case .serving: "serving"
        case .draining: "draining"
        case .stale: "stale"
        case .isolated: "isolated"
        case .sick: "sick"
        }
    }
}
