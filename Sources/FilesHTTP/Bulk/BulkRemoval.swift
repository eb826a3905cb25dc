package import ClusterModel
import Foundation
package import HTTPDoor
import HTTPTypes

/// What one request asks to remove, path by path.
package struct BulkRemoval: Sendable, Equatable {
    package struct Item: Sendable, Equatable {
        /// As the request has it.
        package var shown: String
        package var path: Result<HomePath, Problem>
        /// The value of `If-Match`.
        package var ifMatch: String?
        /// The path ends with a slash: a file that stands there stays.
        package var mustBeFolder: Bool
    }

    package var items: [Item]
    /// Removes folders with all that is in them.
    package var recursive: Bool

    /// Of one request.
    package static let pathsMax = 1_000
    /// Of a request's body.
    package static let bytesMax = 1 << 20

    /// - Parameter folder: Where the paths begin.
    package init(json: [UInt8], below folder: HomePath) throws(Problem) {
        let body: Body
        do {
            body = try JSONDecoder().decode(Body.self, from: Data(json))
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem(
                .badRequest, .invalidBody,
                "the body is not a JSON object like {\"paths\": [\"a\", {\"path\": \"b\", \"if_match\": \"…\"}]}"
            )
        }
        self.recursive = body.recursive
        self.items = body.paths.map { asked in
            Item(
                shown: asked.shown, path: Self.path(asked.bytes, below: folder), ifMatch: asked.ifMatch,
                mustBeFolder: asked.bytes.last == UInt8(ascii: "/"))
        }
    }

    private static func path(_ bytes: [UInt8], below folder: HomePath) -> Result<HomePath, Problem> {
        do throws(HomePath.Fault) {
            let rest = try HomePath(bytes: bytes)
            if folder.isHome { return .success(rest) }
            if rest.isHome { return .success(folder) }
            return .success(try HomePath(bytes: folder.bytes + [UInt8(ascii: "/")] + rest.bytes))
        } catch {
            return .failure(FileProblems.malformed(error))
        }
    }

    fileprivate static func invalid(_ field: String, _ reason: String) -> Problem {
        Problem(.badRequest, .invalidField, "the field “\(field)”: \(reason)").with("field", field)
    }

    /// In which order the items are removed: those in one group do not concern each other, and what lies in a folder that is
    /// listed too goes before it.
    package var groups: [[Int]] {
        var paths: [(index: Int, path: HomePath)] = []
        for (index, item) in self.items.enumerated() {
            if case .success(let path) = item.path { paths.append((index, path)) }
        }
        paths.sort { left, right in
            if left.path == right.path { return left.index < right.index }
            return left.path.components.lexicographicallyPrecedes(right.path.components) {
                $0.lexicographicallyPrecedes($1)
            }
        }
        var early: [Int] = []
        var late: [(index: Int, depth: Int)] = []
        for (place, this) in paths.enumerated() {
            // What lies below a path stands right behind it.
            let next = place + 1 < paths.count ? paths[place + 1].path : nil
            if let next, next.isWithin(this.path) {
                late.append((this.index, this.path.components.count))
            } else {
                early.append(this.index)
            }
        }
        let deepestFirst = late.enumerated().sorted { left, right in
            (right.element.depth, left.offset) < (left.element.depth, right.offset)
        }
        return (early.isEmpty ? [] : [early]) + deepestFirst.map { [$0.element.index] }
    }
}

/// The body as JSON has it; what is unknown is refused by name.
private struct Body: Decodable {
    var paths: [Asked]
    var recursive: Bool

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        try fields.check(["paths", "recursive"])
        let name = Field("paths")
        guard fields.contains(name), try !fields.decodeNil(forKey: name) else {
            throw BulkRemoval.invalid("paths", "it is missing")
        }
        var list = try fields.nestedUnkeyedContainer(forKey: name)
        self.paths = []
        while !list.isAtEnd {
            guard self.paths.count < BulkRemoval.pathsMax else {
                throw BulkRemoval.invalid("paths", "there are more than \(BulkRemoval.pathsMax)")
            }
            self.paths.append(try list.decode(Asked.self))
        }
        self.recursive = try fields.decodeIfPresent(Bool.self, forKey: Field("recursive")) ?? false
    }

    /// A path as text, or an object with more.
    struct Asked: Decodable {
        var shown: String
        var bytes: [UInt8]
        var ifMatch: String?

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                self.shown = text
                self.bytes = Array(text.utf8)
                return
            }
            let fields = try decoder.container(keyedBy: Field.self)
            try fields.check(["path", "path_base64", "if_match"])
            let text = try fields.decodeIfPresent(String.self, forKey: Field("path"))
            let encoded = try fields.decodeIfPresent(String.self, forKey: Field("path_base64"))
            switch (text, encoded.flatMap { Data(base64Encoded: $0) }) {
            case (let text?, nil) where encoded == nil:
                self.shown = text
                self.bytes = Array(text.utf8)
            case (nil, let data?):
                self.shown = String(decoding: data, as: UTF8.self)
                self.bytes = Array(data)
            case (_, _):
                throw BulkRemoval.invalid("path", "say either path or path_base64")
            }
            self.ifMatch = try fields.decodeIfPresent(String.self, forKey: Field("if_match"))
            guard self.ifMatch.map({ EntityTags($0) != nil }) ?? true else {
                throw BulkRemoval.invalid("if_match", "expected * or entity tags in double quotes")
            }
        }
    }
}

private struct Field: CodingKey {
    let stringValue: String
    let intValue: Int? = nil

    init(_ name: String) { self.stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { return nil }
}

extension KeyedDecodingContainer<Field> {
    fileprivate func check(_ known: Set<String>) throws {
        guard let name = self.allKeys.map(\.stringValue).sorted().first(where: { !known.contains($0) }) else {
            return
        }
        throw Problem(.badRequest, .unknownField, "the field “\(name)” is unknown here").with("field", name)
    }
}
