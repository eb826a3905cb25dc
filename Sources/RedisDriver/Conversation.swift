/// What is said on a connection once the greeting is through; belongs to the thread of the loop.
///
/// The link asks for what is to be sent, hands in what came, and wakes it in time. An error that is thrown
/// ends the connection; `ended` follows. Then a new connection may begin.
protocol Conversation: AnyObject {
    func began(at now: ContinuousClock.Instant)
    /// What is to be sent now, in wire form.
    func outgoing() -> [UInt8]
    func received(_ reply: RedisValue, at now: ContinuousClock.Instant) throws(RedisError)
    /// No more of what was read is left: the time for what is done once for many replies.
    func caughtUp()
    /// When `woke` must be called; earlier does no harm.
    var wakeAt: ContinuousClock.Instant? { get }
    func woke(at now: ContinuousClock.Instant) throws(RedisError)
    /// Called for each end, that of an attempt which never began included.
    func ended(_ why: RedisError)
}
