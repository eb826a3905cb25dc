import Foundation
package import HTTPTypes
package import Hummingbird
import NIOCore

/// Why a request is refused, as an RFC 9457 problem document.
package struct Problem: Error, Sendable, Equatable {
    package var kind: ProblemKind
    package var status: HTTPResponse.Status
    /// What went wrong this time, naming the thing.
    package var detail: String
    /// More members of the document, for programs: the parameter's name, the missing folder.
    package var fields: [String: String] = [:]
    /// The same for numbers.
    package var numbers: [String: Int] = [:]
    /// Its type and title where a standard has them; otherwise they are ``kind``'s.
    private var standard: Standard?
    /// Seconds after which the same request may succeed.
    package var retryAfter: Int?
    /// More header fields of the answer, for example `Allow`.
    package var headers: HTTPFields = [:]

    package init(_ status: HTTPResponse.Status, _ kind: ProblemKind, _ detail: String) {
        self.kind = kind
        self.status = status
        self.detail = detail
    }

    package static let contentType = "application/problem+json"
    package static let typePrefix = "urn:flotilla:problem:"

    package func with(_ name: String, _ value: String) -> Problem {
        var copy = self
        copy.fields[name] = value
        return copy
    }

    package func with(header name: HTTPField.Name, _ value: String) -> Problem {
        var copy = self
        copy.headers[name] = value
        return copy
    }

    /// As a registered type of another's: its address, and its title.
    package func registered(_ type: String, _ title: String) -> Problem {
        var copy = self
        copy.standard = Standard(type: type, title: title)
        return copy
    }

    private struct Standard: Sendable, Equatable {
        var type: String
        var title: String
    }

    package func retrying(after seconds: Int) -> Problem {
        var copy = self
        copy.retryAfter = max(1, seconds)
        return copy
    }

    /// The document as it is sent; `fields` never replace its own members.
    package var document: [String: ProblemMember] {
        var members = self.fields.mapValues(ProblemMember.text)
        for (name, number) in self.numbers { members[name] = .number(number) }
        members["type"] = .text(self.standard?.type ?? Self.typePrefix + self.kind.rawValue)
        members["title"] = .text(self.standard?.title ?? self.kind.title)
        members["status"] = .number(self.status.code)
        members["detail"] = .text(self.detail)
        return members
    }

    package var response: Response {
        var headers = self.headers
        headers[.contentType] = Self.contentType
        if let retryAfter = self.retryAfter { headers[.retryAfter] = "\(retryAfter)" }
        headers[.cacheControl] = "no-store"
        return Response(
            status: self.status, headers: headers,
            body: ResponseBody(byteBuffer: JSONText.buffer(self.document)))
    }
}

/// One member of a problem document.
package enum ProblemMember: Sendable, Equatable, Encodable {
    case text(String)
    case number(Int)

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .number(let number): try container.encode(number)
        }
    }
}
