import ClusterModel

/// Pokes a loop at a moment, once; an earlier moment replaces a later one.
struct Alarm {
    private var at: ClusterInstant?

    /// - Parameter group: waits in it; of the loop that is poked.
    mutating func set(
        _ at: ClusterInstant?, in group: inout DiscardingTaskGroup, _ poke: AsyncStream<Void>.Continuation
    ) {
        guard let at else { return }
        let now = SteadyClock.now()
        if let set = self.at, now < set, set <= at { return }
        self.at = at
        let pause = max(.milliseconds(1), at.since(now))
        group.addTask {
            // A cancelled wait pokes too: whoever is poked looks at what is there.
            try? await Task.sleep(for: pause)
            poke.yield()
        }
    }
}
