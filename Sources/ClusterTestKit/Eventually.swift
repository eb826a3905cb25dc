/// A condition that did not come true in time.
package struct NeverHappened: Error, CustomStringConvertible {
    package let description: String
    package init(description: String) { self.description = description }
}

/// Asks again and again until the condition holds; fails when the time is over.
package func eventually(
    _ what: String = "the condition", within limit: Duration = .seconds(10),
    _ condition: () async throws -> Bool
) async throws {
    let due = ContinuousClock.now.advanced(by: limit)
    while true {
        if try await condition() { return }
        guard ContinuousClock.now < due else {
            throw NeverHappened(description: "\(what): not within \(limit)")
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}
