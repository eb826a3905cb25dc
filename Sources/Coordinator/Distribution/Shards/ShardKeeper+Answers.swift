package import ClusterModel

/// What came of the orders, and what happens to the node.
extension ShardKeeper {
    /// The taking was answered: with an epoch, or nil because somebody else lives and owns it, or should.
    package mutating func took(_ number: ShardNumber, _ epoch: Epoch?) -> [ShardOrder] {
        guard let epoch else {
            if case .taking = self.states[number] { self.states[number] = nil }
            return []
        }
        let title = ShardTitle(number: number, epoch: epoch)
        if let past = self.past[number], epoch <= past { return [] }
        guard !self.isIsolated else {
            self.past[number] = epoch
            return []
        }
        var orders: [ShardOrder] = []
        if let known = self.epoch(of: number) {
            guard known < epoch else { return [] }  // A row that was read meanwhile had told.
            orders = self.lost(ShardTitle(number: number, epoch: known))
        }
        guard !self.isResigned else {
            self.states[number] = .releasing(epoch)
            return orders + [.release(title)]
        }
        self.states[number] = .owned(epoch)
        return orders + [.begin(title)]
    }

    /// Nobody knows whether the taking was done (R2): the row tells, when it is read again.
    package mutating func takingUnknown(_ number: ShardNumber) {
        if case .taking = self.states[number] { self.states[number] = nil }
    }

    /// What was in hand has ended, after the order `end`.
    package mutating func ended(_ title: ShardTitle) -> [ShardOrder] {
        guard case .ending(title.epoch, _) = self.states[title.number] else { return [] }
        self.states[title.number] = .releasing(title.epoch)
        return [.release(title)]
    }

    /// The release was answered, with yes, or with no because the right was lost before.
    package mutating func released(_ title: ShardTitle) {
        guard case .releasing(title.epoch) = self.states[title.number] else { return }
        self.forget(title)
    }

    /// Nobody knows whether the release was done: if the row still says so, it is ordered again.
    package mutating func releaseUnknown(_ title: ShardTitle) { self.released(title) }

    /// A write was refused: the right by this title is lost.
    package mutating func lost(_ title: ShardTitle) -> [ShardOrder] {
        guard self.epoch(of: title.number) == title.epoch else { return [] }
        let wasWorking = self.holds(title)
        self.forget(title)
        return wasWorking ? [.cut(title)] : []
    }

    /// Time went on: what was in hand for too long is cut.
    package mutating func passed(to now: ClusterInstant) -> [ShardOrder] {
        var orders: [ShardOrder] = []
        for number in self.states.keys.sorted() {
            guard case .ending(let epoch, let until) = self.states[number], now >= until else { continue }
            self.states[number] = .releasing(epoch)
            let title = ShardTitle(number: number, epoch: epoch)
            orders += [.cut(title), .release(title)]
        }
        return orders
    }

    /// When ``passed(to:)`` has something to say; nil while nothing is ending.
    package var wakeAt: ClusterInstant? {
        self.states.values.compactMap { state -> ClusterInstant? in
            guard case .ending(_, let until) = state else { return nil }
            return until
        }.min()
    }

    /// The node is isolated, sick or dead: everything is dropped at once, and nothing is released, since nobody knows
    /// whether the database would hear it.
    ///
    /// If the incarnation lives on, what it still owns is taken again by a new epoch.
    package mutating func isolated() -> [ShardOrder] {
        self.isIsolated = true
        var orders: [ShardOrder] = []
        for number in self.states.keys.sorted() {
            switch self.states[number] {
            case .owned(let epoch), .ending(let epoch, _):
                let title = ShardTitle(number: number, epoch: epoch)
                self.forget(title)
                orders.append(.cut(title))
            case .releasing(let epoch): self.forget(ShardTitle(number: number, epoch: epoch))
            case .taking, nil: self.states[number] = nil
            }
        }
        return orders
    }

    /// The same incarnation serves again.
    package mutating func rejoined() { self.isIsolated = false }

    /// The node is sick, or stops, and the database hears it: it takes nothing more and hands over all that it has.
    ///
    /// - Parameter wait: What is in hand may go on for so long; what is ending already for no longer than before.
    package mutating func resign(at now: ClusterInstant, within wait: Duration) -> [ShardOrder] {
        self.isResigned = true
        let latest = now.advanced(by: wait)
        var orders: [ShardOrder] = []
        for number in self.states.keys.sorted() {
            switch self.states[number] {
            case .owned(let epoch):
                self.states[number] = .ending(epoch, until: latest)
                orders.append(.end(ShardTitle(number: number, epoch: epoch)))
            case .ending(let epoch, let until):
                self.states[number] = .ending(epoch, until: min(until, latest))
            case .taking, .releasing, nil: break
            }
        }
        return orders + self.passed(to: now)
    }

    /// It is well again: what it should have it takes when the rows are read next.
    package mutating func resume() { self.isResigned = false }

    private mutating func forget(_ title: ShardTitle) {
        self.states[title.number] = nil
        self.past[title.number] = max(self.past[title.number] ?? title.epoch, title.epoch)
    }
}
