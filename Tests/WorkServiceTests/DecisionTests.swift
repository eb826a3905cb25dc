import Testing
import WorkService

@Suite struct DecisionTests {
    @Test func `the pause doubles up to an hour and is never the same for all`() {
        #expect(RetryPlan.pause(after: 1, chance: 1) == .seconds(1))
        #expect(RetryPlan.pause(after: 1, chance: 0) == .milliseconds(500))
        #expect(RetryPlan.pause(after: 5, chance: 1) == .seconds(16))
        #expect(RetryPlan.pause(after: 13, chance: 1) == .seconds(3_600))
        #expect(RetryPlan.pause(after: 1_000, chance: 0) == .seconds(1_800))
        let all = (1..<20).reduce(Duration.zero) { $0 + RetryPlan.pause(after: $1, chance: 1) }
        #expect(all > .seconds(8 * 3_600) && all < .seconds(9 * 3_600))
    }

    @Test func `what a receiver asks for is honoured within bounds`() {
        #expect(RetryPlan.pause(after: 9, asked: .seconds(30), chance: 0) == .seconds(30))
        #expect(RetryPlan.pause(after: 9, asked: .seconds(30), chance: 1) == .seconds(33))
        #expect(RetryPlan.pause(after: 1, asked: .zero, chance: 0) == .seconds(1))
        #expect(RetryPlan.pause(after: 1, asked: .seconds(86_400), chance: 0) == .seconds(3_600))
    }

    @Test(
        arguments: [
            ("120", nil, 120), ("0", nil, 0), ("99999999", nil, 86_400), ("-1", nil, nil), ("soon", nil, nil),
            ("Sun, 22 Nov 2026 12:00:30 GMT", "Sun, 22 Nov 2026 12:00:00 GMT", 30),
            ("Sun, 22 Nov 2026 11:00:00 GMT", "Sun, 22 Nov 2026 12:00:00 GMT", 0),
            ("Sun, 22 Nov 2026 12:00:30 GMT", nil, nil),
        ] as [(String, String?, Int?)])
    func `Retry-After is seconds, or a time by the receiver's own clock`(
        text: String, date: String?, seconds: Int?
    ) {
        #expect(RetryPlan.asked(text, date: date) == seconds.map { .seconds($0) })
    }

    @Test func `the class of the status decides`() {
        func verdict(_ status: Int) -> DeliveryVerdict {
            .judge(.answered(status: status, retryAfter: nil, excerpt: "so"), attempt: 2, chance: 1)
        }
        for status in [200, 201, 204, 299] { #expect(verdict(status) == .done(note: "\(status): so")) }
        for status in [408, 425, 429, 500, 501, 503, 599] {
            #expect(
                verdict(status)
                    == .retry(after: .seconds(2), reason: "the receiver answered \(status): so"))
        }
        for status in [400, 401, 404, 409, 422, 499] {
            #expect(verdict(status) == .failed(reason: "the receiver answered \(status): so"))
        }
        #expect(verdict(302) == .failed(reason: "redirects are not followed; it answered 302: so"))
        #expect(verdict(410) == .unwanted(reason: "the receiver answered 410: so"))
        #expect(
            .judge(.unanswered(reason: "no answer in time"), attempt: 1, chance: 1)
                == DeliveryVerdict.retry(after: .seconds(1), reason: "no answer in time"))
    }
}
