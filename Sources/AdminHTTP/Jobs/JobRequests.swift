package import ClusterModel
import Foundation
package import HTTPDoor
import HTTPTypes

/// `POST /jobs`.
package struct JobSubmission: Sendable, Equatable {
    package var spec: JobSpec
    package var account: String?

    /// - Parameter submitter: The token's label.
    package init(_ body: [UInt8], idempotencyKey: String?, submitter: String) throws(Problem) {
        var fields = try BodyFields(body)
        let kind = try fields.required("kind")
        guard let kind = JobKind(kind) else {
            throw BodyFields.invalid("kind", "it must be 1 to 32 of a-z 0-9 -, beginning with a letter")
        }
        self.account = try fields.text("account")
        let payload = try fields.value("payload") ?? .object([:])
        try Self.checkNumbers(in: body)
        var spec = JobSpec(
            kind: kind, payload: try Self.text(of: payload, longest: JobSpec.payloadLimit),
            submitter: submitter)
        spec.priority = try Self.number("priority", &fields, 0...9) ?? spec.priority
        spec.delay = try Self.number("delay_seconds", &fields, 0...Self.year).map { .seconds($0) }
        spec.deadline = try Self.number("deadline_seconds", &fields, 1...Self.week).map { .seconds($0) }
        spec.maxAttempts = try Self.number("max_attempts", &fields, 1...1_000) ?? spec.maxAttempts
        spec.bytes = Int64(try Self.number("bytes", &fields, 0...Int.max) ?? 0)
        spec.orderKey = try Self.key("order_key", try fields.text("order_key"))
        spec.requires = try Self.requirements(&fields)
        try fields.finish()
        spec.idempotencyKey = try Self.checked(idempotencyKey: idempotencyKey)
        self.spec = spec
    }

    /// - Parameter body: of which the payload is a part.
    static func checkNumbers(in body: [UInt8]) throws(Problem) {
        guard Self.longestNumber(in: body) > JSONValue.digits else { return }
        throw BodyFields.invalid(
            "payload", "a number may have \(JSONValue.digits) digits at most; send a longer one as a text")
    }

    static func checked(idempotencyKey key: String?) throws(Problem) -> String? {
        guard let key, !Self.isKey(key) else { return key }
        throw Problem(
            .badRequest, .invalidHeader,
            "the header Idempotency-Key must have 1 to 200 bytes and no control characters"
        ).with("header", "idempotency-key")
    }

    private static let year = 366 * 86_400
    private static let week = 7 * 86_400

    /// The most digits that a number in the text has, without leading zeros; the text is JSON.
    ///
    /// Where it is decoded, what is beyond the bound is rounded in silence.
    static func longestNumber(in body: [UInt8]) -> Int {
        var longest = 0
        var count = 0
        var isText = false
        var isEscaped = false
        var isExponent = false
        for byte in body {
            if isText {
                if !isEscaped && byte == UInt8(ascii: "\"") { isText = false }
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isText = true
            case UInt8(ascii: "0") where count == 0: break
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if !isExponent { count += 1 }
            case UInt8(ascii: "."): break
            // Of words as well, where it does no harm.
            case UInt8(ascii: "e"), UInt8(ascii: "E"): isExponent = true
            case UInt8(ascii: "+"), UInt8(ascii: "-"): break
            default:
                longest = max(longest, count)
                count = 0
                isExponent = false
            }
        }
        return max(longest, count)
    }

    /// - Parameter longest: in bytes.
    static func text(of payload: JSONValue, longest: Int) throws(Problem) -> String {
        let buffer: Data
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            buffer = try encoder.encode(payload)
        } catch { throw BodyFields.invalid("payload", "it cannot be written as JSON") }
        guard buffer.count <= longest else {
            throw BodyFields.invalid("payload", "it may have \(longest) bytes at most")
        }
        let text = String(decoding: buffer, as: UTF8.self)
        guard !text.contains("\\u0000") else {
            throw BodyFields.invalid("payload", "it may have no NUL characters: the database keeps none")
        }
        return text
    }

    private static func number(
        _ name: String, _ fields: inout BodyFields, _ range: ClosedRange<Int>
    ) throws(Problem) -> Int? {
        guard let number = try fields.integer(name) else { return nil }
        guard range.contains(Int(number)) else {
            throw BodyFields.invalid(name, "it must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return Int(number)
    }

    static func isKey(_ text: String) -> Bool {
        (1...200).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }

    private static func key(_ name: String, _ text: String?) throws(Problem) -> String? {
        guard let text else { return nil }
        guard Self.isKey(text) else {
            throw BodyFields.invalid(name, "it must have 1 to 200 bytes and no control characters")
        }
        return text
    }

    /// Required attributes of nodes as an object, stored as `key=value` in the order of the keys.
    static func requirements(_ fields: inout BodyFields) throws(Problem) -> [String] {
        guard let asked = try fields.texts("requires") else { return [] }
        guard asked.count <= 16 else {
            throw BodyFields.invalid("requires", "it may have 16 of them at most")
        }
        var requires: [String] = []
        for (name, value) in asked.sorted(by: { $0.key < $1.key }) {
            guard let value, Self.isKey(name), Self.isKey(value), !name.contains("=") else {
                throw BodyFields.invalid("requires.\(name)", "it must be an attribute's name and value")
            }
            requires.append("\(name)=\(value)")
        }
        return requires
    }
}

/// `POST /jobs/many`.
package struct JobOrder: Sendable, Equatable {
    package enum Action: String, Sendable, CaseIterable {
        case retry, cancel, delete
    }
    package var action: Action
    package var ids: [JobID]
    package var reason: String?

    package init(_ body: [UInt8]) throws(Problem) {
        var fields = try BodyFields(body)
        let action = try fields.required("action")
        guard let action = Action(rawValue: action) else {
            let all = Action.allCases.map(\.rawValue).joined(separator: ", ")
            throw BodyFields.invalid("action", "“\(action)” is none of \(all)")
        }
        self.action = action
        self.reason = try JobReason.checked(try fields.text("reason"))
        guard case .list(let values)? = try fields.value("ids"), (1...1_000).contains(values.count) else {
            throw BodyFields.invalid("ids", "it must be a list of 1 to 1,000 jobs' ids")
        }
        self.ids = []
        for value in values {
            guard case .number(let number) = value, let whole = number.whole,
                let id = JobID(rawValue: whole)
            else { throw BodyFields.invalid("ids", "each must be a job's id, a whole number") }
            self.ids.append(id)
        }
        try fields.finish()
    }
}

/// `POST /jobs/{id}/cancel` and `/retry`: a reason, or nothing.
package enum JobReason {
    package static func of(_ body: [UInt8]) throws(Problem) -> String? {
        guard !body.isEmpty else { return nil }
        var fields = try BodyFields(body)
        let reason = try fields.text("reason")
        try fields.finish()
        return try Self.checked(reason)
    }

    static func checked(_ reason: String?) throws(Problem) -> String? {
        if let reason, !JobSubmission.isKey(reason) {
            throw BodyFields.invalid("reason", "it must have 1 to 200 bytes and no control characters")
        }
        return reason
    }
}

/// `PUT /job-policies/{scope}`.
package struct PolicyOrder: Sendable, Equatable {
    package var slots: Int?
    package var perNode: Int?
    package var weight: Double
    package var requires: [String]

    package init(_ body: [UInt8]) throws(Problem) {
        var fields = try BodyFields(body)
        func number(_ name: String, _ least: Int64) throws(Problem) -> Int? {
            guard let number = try fields.integer(name) else { return nil }
            guard (least...1_000).contains(number) else {
                throw BodyFields.invalid(name, "it must be from \(least) to 1000")
            }
            return Int(number)
        }
        self.slots = try number("slots", 0)
        self.perNode = try number("per_node", 1)
        switch try fields.value("weight") {
        case nil: self.weight = 1
        case .number(let number)?:
            let weight = Double(number.description) ?? 0
            guard (0.001...1_000).contains(weight) else {
                throw BodyFields.invalid("weight", "it must be from 0.001 to 1000")
            }
            self.weight = weight
        case .some: throw BodyFields.invalid("weight", "it must be from 0.001 to 1000")
        }
        self.requires = try JobSubmission.requirements(&fields)
        try fields.finish()
    }
}
