package import ClusterModel
import FileService
import Foundation
package import HTTPDoor

/// `Upload-Concat`: that an upload is a part of another, or which ones another is put together from.
package enum TusConcat: Sendable, Equatable {
    case partial
    case final([UploadID])

    package init(_ text: String) throws(Problem) {
        guard text != "partial" else {
            self = .partial
            return
        }
        let sides = text.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2, sides[0] == "final" else {
            throw Self.invalid(text, "expected “partial”, or “final;” and addresses of uploads")
        }
        var parts: [UploadID] = []
        for address in sides[1].split(separator: " ") {
            guard let id = Self.upload(address) else {
                throw Self.invalid(text, "“\(address)” is no address of an upload here")
            }
            parts.append(id)
        }
        guard (1...UploadLimits.parts).contains(parts.count) else {
            throw Self.invalid(text, "expected 1 to \(UploadLimits.parts) uploads, not \(parts.count)")
        }
        guard Set(parts).count == parts.count else { throw Self.invalid(text, "an upload is given twice") }
        self = .final(parts)
    }

    /// What HEAD says of an upload; nil for one that has nothing to do with others.
    package init?(_ upload: Upload) {
        if upload.isComposed {
            self = .final(upload.parts)
        } else if upload.part == .partial {
            self = .partial
        } else {
            return nil
        }
    }

    package var text: String {
        switch self {
        case .partial: "partial"
        case .final(let parts): "final;" + parts.map { TusHeaders.location($0) }.joined(separator: " ")
        }
    }

    /// From a path, or a URL of whichever name this server has to its client.
    private static func upload(_ address: Substring) -> UploadID? {
        var path = address
        if let scheme = address.range(of: "://") {
            let rest = address[scheme.upperBound...]
            path = rest.drop { $0 != "/" }
        }
        let words = path.split(separator: "/", omittingEmptySubsequences: false)
        guard words.count >= 2, words[words.count - 2] == TusHeaders.prefix,
            let id = words.last.flatMap({ UUID(uuidString: String($0)) })
        else { return nil }
        return UploadID(id)
    }

    private static func invalid(_ text: String, _ reason: String) -> Problem {
        TusHeaders.invalid(TusHeaders.concat, text.count > 200 ? "\(text.prefix(200))…" : text, reason)
    }
}
