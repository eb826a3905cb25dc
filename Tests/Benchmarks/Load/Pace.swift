import Foundation

/// The waits of a load that are part of it: how long it measures, how long a victim lives, how often something beats.
///
/// Nobody waits for anything here; what is waited for has a signal, or is polled by `eventually`.
enum Pace {
    static func rest(_ duration: Duration) async throws { try await Task.sleep(for: duration) }

    /// On a thread of its own.
    static func block(seconds: Double) { Thread.sleep(forTimeInterval: seconds) }

    /// Returns when the task is cancelled.
    static func untilCancelled() async {
        for await _ in AsyncStream(Void.self, { _ in }) {}
    }
}
