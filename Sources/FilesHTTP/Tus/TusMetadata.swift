import Foundation
package import HTTPDoor

/// `Upload-Metadata`: keys with values in base64, separated by commas.
package struct TusMetadata: Sendable, Equatable {
    /// As the client said it, so that it hears the same again.
    package let text: String
    private let values: [String: [UInt8]]

    /// In bytes; the bound of the database's column.
    package static let longest = 4_096

    package init(_ text: String) throws(Problem) {
        guard text.utf8.count <= Self.longest else {
            throw TusHeaders.invalid(
                TusHeaders.metadata, "\(text.prefix(40))…", "it is longer than \(Self.longest) bytes")
        }
        guard text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) else {
            throw TusHeaders.invalid(TusHeaders.metadata, text, "it is not ASCII")
        }
        var values: [String: [UInt8]] = [:]
        for pair in text.split(separator: ",") {
            let sides = pair.split(separator: " ")
            guard let key = sides.first, sides.count <= 2 else {
                throw TusHeaders.invalid(
                    TusHeaders.metadata, text, "expected keys with values in base64, separated by commas")
            }
            guard let value = Data(base64Encoded: sides.count == 2 ? String(sides[1]) : "") else {
                throw TusHeaders.invalid(TusHeaders.metadata, text, "the value of “\(key)” is not base64")
            }
            guard values.updateValue(Array(value), forKey: String(key)) == nil else {
                throw TusHeaders.invalid(TusHeaders.metadata, text, "“\(key)” is given twice")
            }
        }
        self.text = text
        self.values = values
    }

    /// Nil when the key is not there.
    package func value(_ key: String) -> [UInt8]? { self.values[key] }

    /// The file's name, under either of the keys that clients use.
    package var fileName: [UInt8]? { self.values["filename"] ?? self.values["name"] }
}
