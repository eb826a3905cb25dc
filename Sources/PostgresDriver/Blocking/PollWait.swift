import Glibc

/// Waits for one descriptor with poll(2) and a monotonic deadline.
enum PollWait {
    /// - Returns: false when the deadline passed; true when there is something to read, or to write if asked
    ///   for, or the descriptor has an error to tell.
    static func wait(_ descriptor: CInt, toWrite: Bool, until due: ContinuousClock.Instant) -> Bool {
        while true {
            let left = ContinuousClock.now.duration(to: due)
            guard left > .zero else { return false }
            let events = toWrite ? POLLIN | POLLOUT : POLLIN
            var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            let count = unsafe poll(&entry, 1, CInt(self.milliseconds(left)))
            if count > 0 { return true }
            // The libpq call that follows finds out what is wrong with it.
            if count < 0, errno != EINTR { return true }
        }
    }

    /// Whether there is something to read, or an error to tell, at this moment.
    static func isReady(_ descriptor: CInt) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, 0) > 0
    }

    /// Rounded up, so that a short rest does not spin; at most a day.
    static func milliseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        return Int(clamping: max(0, min(seconds, 86_400) * 1000 + attoseconds / 1_000_000_000_000_000 + 1))
    }
}
