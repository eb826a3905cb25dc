/// How a client behaves; every wait and every queue has its bound here.
package struct RedisConfiguration: Sendable {
    package var url: RedisURL
    /// What `CLIENT LIST` on the server shows; letters, digits, `.`, `_` and `-`.
    package var name = "flotilla"
    /// How long a call waits for its answer unless it says otherwise.
    package var callBudget: Duration = .milliseconds(50)
    /// From the start of an attempt to connect to the end of the greeting, resolving included; a probe as
    /// well.
    package var connectBudget: Duration = .seconds(1)
    package var backoff = Backoff()
    /// For one sentinel to be connected to and to name the master, resolving included.
    package var sentinelBudget: Duration = .milliseconds(300)
    /// Calls that were sent or wait to be sent; one more is refused.
    package var inFlightMax = 16_384
    /// One more byte and the call is refused.
    package var commandBytesMax = 16 << 20
    /// A longer answer ends the connection.
    package var replyBytesMax = 64 << 20
    package var breaker = CircuitBreaker.Settings()
    /// Messages that wait for a subscriber; the oldest are dropped, and counted, when there are more.
    package var messagesMax = 1024
    /// Subscriptions at one time, each with a connection of its own.
    package var subscriptionsMax = 16
    /// How often a subscriber's quiet connection is tried; it is given up after three such times without a
    /// sign of life.
    package var heartbeatInterval: Duration = .seconds(1)

    package init(url: RedisURL) {
        self.url = url
    }
}
