/// What came back from a receiver.
package enum DeliveryAnswer: Hashable, Sendable {
    /// - Parameters:
    ///   - retryAfter: what the receiver asked for.
    ///   - excerpt: the beginning of its body, harmless to show.
    case answered(status: Int, retryAfter: Duration?, excerpt: String)
    /// No connection, no answer in time, or no HTTP.
    case unanswered(reason: String)
}

/// Decides what an answer means for the job.
package enum DeliveryVerdict: Hashable, Sendable {
    case done(note: String)
    case retry(after: Duration, reason: String)
    /// The same request would be refused again.
    case failed(reason: String)
    /// The receiver wants no more: the webhook is to be disabled.
    case unwanted(reason: String)

    /// - Parameters:
    ///   - attempt: that this was, from 1.
    ///   - chance: 0 to 1, for the jitter.
    package static func judge(_ answer: DeliveryAnswer, attempt: Int, chance: Double) -> DeliveryVerdict {
        switch answer {
        case .unanswered(let reason):
            return .retry(after: RetryPlan.pause(after: attempt, chance: chance), reason: reason)
        case .answered(let status, let asked, let excerpt):
            let said = excerpt.isEmpty ? "\(status)" : "\(status): \(excerpt)"
            switch status {
            case 200..<300: return .done(note: said)
            case 300..<400: return .failed(reason: "redirects are not followed; it answered \(said)")
            case 410: return .unwanted(reason: "the receiver answered \(said)")
            case 408, 425, 429, 500..<600:
                let pause = RetryPlan.pause(after: attempt, asked: asked, chance: chance)
                return .retry(after: pause, reason: "the receiver answered \(said)")
            default: return .failed(reason: "the receiver answered \(said)")
            }
        }
    }
}
