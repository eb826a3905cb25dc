/// The name of a table, a column or a channel, written so that the server takes it as it is.
package struct PostgresIdentifier: Sendable, Hashable {
    /// Longer names would be cut by the server, and then be others.
    package static let bytesMax = 63

    package let name: String

    /// - Throws: `didNotRun(.invalid)` for a name that no server can have: empty, too long, or with a NUL.
    package init(_ name: String) throws(PostgresError) {
        guard !name.isEmpty, name.utf8.count <= Self.bytesMax, !name.utf8.contains(0) else {
            let reason = "\"\(name.prefix(80))\" is no name: 1 to \(Self.bytesMax) bytes without NUL"
            throw .didNotRun(.invalid(reason))
        }
        self.name = name
    }

    /// In double quotes, those inside doubled.
    package var quoted: String {
        "\"" + self.name.replacing("\"", with: "\"\"") + "\""
    }
}
