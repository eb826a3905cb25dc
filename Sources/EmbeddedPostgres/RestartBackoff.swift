/// Decides how long to wait before something that ended is started again.
package struct RestartBackoff: Sendable, Equatable {
    let first: Duration
    let most: Duration
    let calmAfter: Duration
    private var next: Duration

    /// The waits double from `first` to `most`; whoever lived for `calmAfter` begins at `first` again.
    package init(first: Duration, most: Duration, calmAfter: Duration) {
        self.first = first
        self.most = most
        self.calmAfter = calmAfter
        self.next = first
    }

    /// The wait after an end.
    package mutating func delay(afterLiving lived: Duration) -> Duration {
        let delay = lived >= self.calmAfter ? self.first : self.next
        self.next = min(delay * 2, self.most)
        return delay
    }
}
