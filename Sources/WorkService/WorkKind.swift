package import ClusterModel

/// The kinds of jobs that this room does.
package enum WorkKind {
    /// Tells a webhook of an event.
    package static let webhook = Self.kind("webhook")
    /// Reads a file again and compares its digest.
    package static let verify = Self.kind("verify")
    /// Forgets old transfers and events.
    package static let retention = Self.kind("retention")
    /// Copies a file to another path or home.
    package static let copy = Self.kind("copy")
    /// Gives a file another path or home.
    package static let move = Self.kind("move")

    private static func kind(_ text: String) -> JobKind {
        guard let kind = JobKind(text) else { preconditionFailure("“\(text)” is no kind of job") }
        return kind
    }
}
