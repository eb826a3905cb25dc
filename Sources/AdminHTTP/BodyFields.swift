package import Foundation
package import HTTPDoor
import HTTPTypes

/// A JSON value of a request's body.
package enum JSONValue: Sendable, Equatable, Codable {
    case null
    case flag(Bool)
    /// As it was written, up to ``digits``: a Double would round whole numbers above 2^53.
    case number(Decimal)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    /// The most digits of a number, without leading zeros, that are kept.
    package static let digits = 38

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Decimal.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let list = try? container.decode([JSONValue].self) {
            self = .list(list)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .flag(let flag): try container.encode(flag)
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        case .list(let list): try container.encode(list)
        case .object(let object): try container.encode(object)
        }
    }
}

extension Decimal {
    /// Nil when it has a fraction, or does not fit.
    package var whole: Int64? { Int64(self.description) }
}

/// Takes the fields of a body one by one; what nobody took is refused by name at the end.
package struct BodyFields {
    private var fields: [String: JSONValue]

    package init(_ body: [UInt8]) throws(Problem) {
        do {
            guard case .object(let fields) = try JSONDecoder().decode(JSONValue.self, from: Data(body)) else {
                throw Problem(.badRequest, .invalidBody, "the body must be a JSON object")
            }
            self.fields = fields
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem(
                .badRequest, .invalidBody, "the body is not JSON, or has a number beyond 10^127 or 10^-127")
        }
    }

    /// Any JSON value; throws when the text is none.
    package static func value(_ text: [UInt8]) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(text))
    }

    package static func invalid(_ name: String, _ reason: String) -> Problem {
        Problem(.badRequest, .invalidField, "the field “\(name)”: \(reason)").with("field", name)
    }

    package mutating func text(_ name: String) throws(Problem) -> String? {
        switch self.fields.removeValue(forKey: name) {
        case nil: return nil
        case .text(let text): return text
        case .null, .flag, .number, .list, .object: throw Self.invalid(name, "it must be a text")
        }
    }

    package mutating func required(_ name: String) throws(Problem) -> String {
        guard let text = try self.text(name) else { throw Self.invalid(name, "it is missing") }
        return text
    }

    package mutating func flag(_ name: String) throws(Problem) -> Bool? {
        switch self.fields.removeValue(forKey: name) {
        case nil: return nil
        case .flag(let flag): return flag
        case .null, .text, .number, .list, .object: throw Self.invalid(name, "it must be true or false")
        }
    }

    /// A whole number.
    package mutating func integer(_ name: String) throws(Problem) -> Int64? {
        switch self.fields.removeValue(forKey: name) {
        case nil: return nil
        case .number(let number):
            // Above 2^53 clients whose numbers are Doubles would show another one.
            guard let value = number.whole, value.magnitude <= 9_007_199_254_740_992 else {
                throw Self.invalid(name, "it must be a whole number below 2^53")
            }
            return value
        case .null, .text, .flag, .list, .object: throw Self.invalid(name, "it must be a whole number")
        }
    }

    /// A list of texts, at most 100.
    package mutating func list(_ name: String) throws(Problem) -> [String]? {
        switch self.fields.removeValue(forKey: name) {
        case nil: return nil
        case .list(let values):
            var texts: [String] = []
            guard values.count <= 100 else { throw Self.invalid(name, "it may have 100 entries at most") }
            for value in values {
                guard case .text(let text) = value else {
                    throw Self.invalid(name, "it must be a list of texts")
                }
                texts.append(text)
            }
            return texts
        case .null, .text, .flag, .number, .object: throw Self.invalid(name, "it must be a list of texts")
        }
    }

    /// Any value; nil when the field is not there.
    package mutating func value(_ name: String) throws(Problem) -> JSONValue? {
        self.fields.removeValue(forKey: name)
    }

    /// Texts by name, and nil where the value is null.
    package mutating func texts(_ name: String) throws(Problem) -> [String: String?]? {
        switch self.fields.removeValue(forKey: name) {
        case nil: return nil
        case .object(let fields):
            var texts: [String: String?] = [:]
            for (key, value) in fields {
                switch value {
                case .null: texts.updateValue(nil, forKey: key)
                case .text(let text): texts[key] = .some(text)
                case .flag, .number, .list, .object:
                    throw Self.invalid("\(name).\(key)", "it must be a text, or null to remove it")
                }
            }
            return texts
        case .null, .text, .flag, .number, .list: throw Self.invalid(name, "it must be an object")
        }
    }

    package mutating func time(_ name: String) throws(Problem) -> Date? {
        guard let text = try self.text(name) else { return nil }
        guard let date = Timestamp.date(text) else {
            throw Self.invalid(name, "“\(text)” is no RFC 3339 time, for example 2026-01-31T12:00:00Z")
        }
        return date
    }

    /// Call it last.
    package func finish() throws(Problem) {
        guard let name = self.fields.keys.sorted().first else { return }
        throw Problem(.badRequest, .unknownField, "the field “\(name)” is unknown here").with("field", name)
    }
}
