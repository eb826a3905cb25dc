/// Places that may break a rule, each with its reason.
///
/// The list may only shrink: a place that breaks its rule less often than it may is an error too, so that what was mended
/// stays mended.
struct Exception: Sendable {
    let rule: String
    let path: String
    /// How many times the file breaks the rule today.
    let count: Int
    let reason: String

    static let all: [Exception] = []
}
