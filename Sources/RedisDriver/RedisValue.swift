/// What a Redis server answers.
package enum RedisValue: Sendable, Equatable {
    case status(String)
    case integer(Int64)
    /// A string of any bytes.
    case bulk([UInt8])
    /// No such key, or no such element.
    case null
    case array([RedisValue])
    /// A refusal inside an array; a refusal of the whole command is thrown instead.
    case error(String)

    /// The bytes of a bulk string or of a status.
    package var bytes: [UInt8]? {
        switch self {
        case .bulk(let bytes): bytes
        case .status(let text): Array(text.utf8)
        case .integer, .null, .array, .error: nil
        }
    }

    /// The bytes as text; nil when they are not UTF-8.
    package var text: String? {
        self.bytes.flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// One word for messages; never the content, which may be secret.
    var kind: String {
        switch self {
        case .status: "a status"
        case .integer: "an integer"
        case .bulk(let bytes): "a string of \(bytes.count) bytes"
        case .null: "nothing"
        case .array(let elements): "an array of \(elements.count)"
        case .error(let text): "the refusal '\(text)'"
        }
    }
}
