import NIOCore

/// Several ranges of a file in one answer, as RFC 9110, 14.6 describes it.
package struct MultipartRanges: Sendable {
    package let parts: [SentPart]
    package let contentType: String

    /// - Parameters:
    ///   - contentType: Of the file.
    ///   - boundary: What no file has a line of.
    package init(_ ranges: [Range<Int64>], size: Int64, contentType: String?, boundary: String) {
        var parts: [SentPart] = []
        for range in ranges {
            var text = parts.isEmpty ? "" : "\r\n"
            text += "--\(boundary)\r\n"
            if let contentType { text += "Content-Type: \(contentType)\r\n" }
            text += "Content-Range: \(Self.contentRange(range, of: size))\r\n\r\n"
            parts.append(SentPart(text: ByteBuffer(string: text), bytes: range))
        }
        parts.append(SentPart(text: ByteBuffer(string: "\r\n--\(boundary)--\r\n"), bytes: 0..<0))
        self.parts = parts
        self.contentType = "multipart/byteranges; boundary=\(boundary)"
    }

    package static func contentRange(_ range: Range<Int64>, of size: Int64) -> String {
        "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
    }

    static func freshBoundary() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36)
            + String(UInt64.random(in: .min ... .max), radix: 36)
    }
}
