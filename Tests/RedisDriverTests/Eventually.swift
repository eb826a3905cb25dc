import RedisDriver
import Testing

/// Waits until a condition holds, looking often; records an issue when it does not within the time.
func eventually(
    within limit: Duration = .seconds(10), _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async rethrows {
    let deadline = ContinuousClock.now.advanced(by: limit)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try? await Task.sleep(for: .milliseconds(5))
    }
    Issue.record(what, sourceLocation: sourceLocation)
}

/// The error that a call ended with; nil when it succeeded.
func failure<Value>(_ body: () async throws -> Value) async -> (any Error)? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}

/// The same, of the driver's own errors.
func refusal<Value>(_ body: () async throws -> Value) async -> RedisError? {
    await failure(body) as? RedisError
}
