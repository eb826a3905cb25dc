import ClusterPorts
package import HTTPDoor

/// The body of what an operator does to a node.
package struct NodeOrder: Sendable, Equatable {
    /// The incarnation that is meant; nil for whichever lives under the name.
    package var incarnation: Int64?
    /// For people: the view's history shows it.
    package var reason: String

    package init(_ body: [UInt8]) throws(Problem) {
        self.incarnation = nil
        self.reason = ""
        guard !body.isEmpty else { return }
        var fields = try BodyFields(body)
        self.incarnation = try fields.integer("incarnation")
        self.reason = try fields.text("reason") ?? ""
        guard NodePatch.isValue(self.reason) else {
            throw BodyFields.invalid("reason", "it may have 200 bytes at most, and no control characters")
        }
        try fields.finish()
    }
}

/// The body of `PATCH /nodes/{name}`.
package struct NodePatch: Sendable, Equatable {
    package var attributes: [String: String?]
    package var incarnation: Int64?

    package init(_ body: [UInt8]) throws(Problem) {
        var fields = try BodyFields(body)
        self.incarnation = try fields.integer("incarnation")
        guard let attributes = try fields.texts("attributes") else {
            throw BodyFields.invalid("attributes", "it is missing")
        }
        self.attributes = attributes
        try fields.finish()
        guard (1...NodeAttributes.setMax).contains(attributes.count) else {
            throw BodyFields.invalid("attributes", "it must have 1 to \(NodeAttributes.setMax) of them")
        }
        for (name, value) in attributes {
            guard Self.isName(name) else {
                throw BodyFields.invalid(
                    "attributes.\(name)",
                    "a name has 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit")
            }
            guard Self.isValue(value ?? "") else {
                throw BodyFields.invalid(
                    "attributes.\(name)", "it may have 200 bytes at most, and no control characters")
            }
        }
    }

    private static func isName(_ text: String) -> Bool {
        text.utf8.count <= 63 && text.wholeMatch(of: /[a-z0-9][a-z0-9._-]*/) != nil
    }

    /// Whether the text is short and harmless in a terminal, where those from U+0080 to U+009F control as well.
    fileprivate static func isValue(_ text: String) -> Bool {
        text.utf8.count <= 200 && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }
}
