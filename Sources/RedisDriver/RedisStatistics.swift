/// What a client has done since it was made.
package struct RedisStatistics: Sendable, Equatable {
    /// Calls are admitted: connected, and the circuit breaker is closed.
    package var isAvailable = false
    /// Calls that were sent or wait to be sent, those that gave up included until their reply has come.
    package var inFlight = 0
    package var sent: UInt64 = 0
    package var answered: UInt64 = 0
    package var timedOut: UInt64 = 0
    /// Answers that came after their caller had given up, and were dropped.
    package var late: UInt64 = 0
    /// Calls that were pending when a connection ended.
    package var lost: UInt64 = 0
    /// Calls answered at once, because there was no connection, the circuit was open or the queue full.
    package var refused: UInt64 = 0
    package var connections: UInt64 = 0
    package var circuitOpened: UInt64 = 0
    /// Messages that a slow subscriber did not take in time.
    package var messagesDropped: UInt64 = 0

    package init() {}
}
