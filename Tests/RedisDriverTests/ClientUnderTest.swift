import Foundation
import Logging
import ReadinessLoop
import RedisDriver
import Testing

struct MissingServer: Error, CustomStringConvertible {
    let description =
        "FLOTILLA_TEST_REDIS is not set; run `make test`, which starts the servers that tests need"
}

/// The server that all tests share; keys of a test begin with a prefix of its own.
func sharedServer() throws -> RedisURL {
    guard let text = ProcessInfo.processInfo.environment["FLOTILLA_TEST_REDIS"] else { throw MissingServer() }
    return try RedisURL(text)
}

func uniquePrefix(_ name: String = #function) -> String { "test:\(UUID().uuidString.lowercased()):" }

/// Short waits, but a budget that a busy machine can keep.
func patient(_ url: RedisURL) -> RedisConfiguration {
    var configuration = RedisConfiguration(url: url)
    configuration.callBudget = .seconds(5)
    configuration.backoff = Backoff(shortest: .milliseconds(5), longest: .milliseconds(100))
    return configuration
}

/// Runs a client around the body; it has connected once before the body begins.
func withClient(
    _ configuration: RedisConfiguration, isUpFirst: Bool = true, _ body: (RedisClient) async throws -> Void
) async throws {
    let loop = try ReadinessLoop(label: "redis-tests")
    defer { loop.shutdown() }
    var logger = Logger(label: "redis-tests")
    logger.logLevel = .critical
    let client = RedisClient(configuration, loop: loop, logger: logger)
    try await withThrowingTaskGroup { group in
        group.addTask { try await client.run() }
        if isUpFirst {
            await eventually("the client never connected: \(String(describing: client.refusal))") {
                client.refusal == nil
            }
        }
        try await body(client)
        group.cancelAll()
        try await group.waitForAll()
    }
    #expect(client.refusal == .shutDown)
}
