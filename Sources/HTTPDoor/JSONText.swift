package import Foundation
package import HTTPTypes
package import Hummingbird
package import NIOCore

/// How JSON looks at every door: snake_case keys in alphabetical order, times as RFC 3339 in UTC with
/// milliseconds.
package enum JSONText {
    package static func buffer(_ value: some Encodable) -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(Timestamp.text(date))
        }
        do {
            return ByteBuffer(bytes: try encoder.encode(value))
        } catch {
            // Only numbers that are not finite cannot be encoded, and no answer holds one that was not
            // checked.
            preconditionFailure("cannot encode \(type(of: value)): \(error)")
        }
    }

    /// Reads what ``buffer(_:)`` writes.
    package static func value<Value: Decodable>(_ type: Value.Type, from data: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let date = Timestamp.date(text) else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "“\(text)” is no time.")
            }
            return date
        }
        return try decoder.decode(type, from: data)
    }

    package static func response(
        _ status: HTTPResponse.Status, _ value: some Encodable, headers: HTTPFields = [:]
    ) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        headers[.cacheControl] = headers[.cacheControl] ?? "no-store"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: Self.buffer(value)))
    }
}

/// Times as RFC 3339 text in UTC with milliseconds.
package enum Timestamp {
    package static func text(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// With or without fractions of a second, in any time zone that the text names.
    ///
    /// A day or an hour that does not exist is no time; the system's parser would take it for another one.
    package static func date(_ text: String) -> Date? {
        guard Self.exists(text) else { return nil }
        let fractional = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return (try? fractional.parse(text)) ?? (try? Date.ISO8601FormatStyle().parse(text))
    }

    private static func exists(_ text: String) -> Bool {
        let form =
            #/
            ([0-9]{4})-([0-9]{2})-([0-9]{2})T
            ([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?
            (Z|[+-][0-9]{2}:[0-9]{2})
            /#
        guard let parts = text.wholeMatch(of: form)?.output,
            let year = Int(parts.1), let month = Int(parts.2), let day = Int(parts.3),
            let hour = Int(parts.4), let minute = Int(parts.5), let second = Int(parts.6)
        else { return false }
        let isLeap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return year > 0 && (1...12).contains(month) && (1...days[month - 1]).contains(day) && hour < 24
            && minute < 60 && second < 60
    }

    /// Of nanoseconds since 1970.
    package static func text(nanoseconds: Int64) -> String {
        Self.text(Date(timeIntervalSince1970: Double(nanoseconds / 1_000_000) / 1_000))
    }
}
