import AdminHTTP
import ClusterModel
import ClusterPorts
import Foundation
import HTTPDoor
import Testing

@Suite struct JobSubmissionTests {
    private func submission(_ payload: String) throws -> JobSubmission {
        try JobSubmission(
            Array(#"{"kind": "verify", "payload": \#(payload)}"#.utf8), idempotencyKey: nil, submitter: "test"
        )
    }

    @Test(arguments: [
        "9007199254740993", "-9223372036854775808", "18446744073709551615", "0.1", "3.14159265358979323846",
        "12345678901234567890123456789012345678", "0", "true", "null", #""1""#,
    ])
    func `what a payload says is kept to the last digit, and shown so`(value: String) throws {
        let spec = try self.submission(#"{"n":\#(value)}"#).spec
        #expect(spec.payload == #"{"n":\#(value)}"#)
        let id = try #require(JobID(rawValue: 7))
        let record = JobRecord(
            id: id, spec: spec, accountName: nil, state: .ready, attempt: 0,
            createdAt: Date(timeIntervalSince1970: 0))
        let shown = String(decoding: try JSONEncoder().encode(JobAnswer(record)), as: UTF8.self)
        #expect(shown.contains(#"{"n":\#(value)}"#))
    }

    @Test(arguments: [
        "123456789012345678901234567890123456789", "0.1234567890123456789012345678901234567891",
        #"["a \" 1", {"b": -123456789012345678901234567890123456789}]"#,
    ])
    func `a number that could not be kept is refused by name`(value: String) throws {
        let problem = #expect(throws: Problem.self) { try self.submission(#"{"n": \#(value)}"#) }
        #expect(problem != nil)
        #expect(throws: Never.self) {
            try self.submission(#"{"n": "\#(value.filter(\.isNumber))", "m": 0.00010}"#)
        }
    }

    @Test func `whole numbers of fields are whole, and ids exact`() throws {
        func order(_ id: String) throws -> JobOrder {
            try JobOrder(Array(#"{"action": "retry", "ids": [\#(id)]}"#.utf8))
        }
        #expect(try order("9007199254740993").ids.map(\.rawValue) == [9_007_199_254_740_993])
        #expect(try order("1e3").ids.map(\.rawValue) == [1_000])
        for id in ["1.5", "0", "99999999999999999999", "true"] {
            #expect(throws: Problem.self) { try order(id) }
        }
        #expect(try PolicyOrder(Array(#"{"weight": 2.5, "slots": 3}"#.utf8)).weight == 2.5)
        for body in [
            #"{"weight": 1001}"#, #"{"weight": 0.0001}"#, #"{"slots": 1.5}"#, #"{"slots": 9007199254740993}"#,
        ] {
            #expect(throws: Problem.self) { try PolicyOrder(Array(body.utf8)) }
        }
    }
}
