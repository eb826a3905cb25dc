package import ClusterModel

/// What goes next.
extension Leasing {
    package struct Next: Sendable, Equatable {
        /// Nil when one is in flight, or there is nothing to do yet.
        package var order: Order?
        /// When to ask again, if nothing happens before.
        package var wakeAt: ClusterInstant?

        package init(order: Order? = nil, wakeAt: ClusterInstant? = nil) {
            self.order = order
            self.wakeAt = wakeAt
        }
    }

    /// Readings first, since somebody may wait for what they tell, but not twice in a row while others wait; then
    /// ends and acquires in turns.
    package mutating func next(at now: ClusterInstant) -> Next {
        guard self.state != .dead, self.inFlight == nil else { return Next() }
        let ends = !self.endings.isEmpty && self.endsAt.map { $0 <= now } ?? true
        if !self.wasReading || (!ends && self.asking.isEmpty), let order = self.reading(at: now) {
            self.wasReading = true
            return Next(order: order)
        }
        self.wasReading = false
        if ends, !self.wasEnd || self.asking.isEmpty {
            self.wasEnd = true
            return Next(order: self.end())
        }
        if !self.asking.isEmpty {
            self.wasEnd = false
            return Next(order: self.acquire(at: now))
        }
        var wakeAt = self.readAt
        if !self.endings.isEmpty, let endsAt { wakeAt = min(wakeAt ?? endsAt, endsAt) }
        if let lossesAt { wakeAt = min(wakeAt ?? lossesAt, lossesAt) }
        return Next(wakeAt: wakeAt)
    }

    private mutating func reading(at now: ClusterInstant) -> Order? {
        if let readAt, readAt <= now {
            self.readAt = nil
            let page = self.doubtfulPage()
            if !page.isEmpty {
                self.inFlight = .read(page)
                return .read(page)
            }
        }
        guard self.lossesKnown < self.lossesAnnounced, self.lossesAt.map({ $0 <= now }) ?? true else {
            return nil
        }
        self.lossesAt = nil
        self.inFlight = .readLosses
        return .readLosses(after: self.lossesKnown)
    }

    /// Those for which somebody waits first; of the others, all in turns.
    private mutating func doubtfulPage() -> [LeaseSubject] {
        var urgent = Set(self.endDoubts.map(\.title.subject))
        var told: [LeaseSubject] = []
        for (subject, doubt) in self.grantDoubts where !urgent.contains(subject) {
            if doubt.asked == nil { told.append(subject) } else { urgent.insert(subject) }
        }
        let page = urgent.sorted().prefix(self.limits.batch)
        let room = self.limits.batch - page.count
        told.sort()
        let next = told.firstIndex { subject in self.lookedTo.map { $0 < subject } ?? true } ?? 0
        let rest = (told[next...] + told[..<next]).prefix(room)
        self.lookedTo = rest.last ?? self.lookedTo
        return Array(page + rest)
    }

    private mutating func end() -> Order {
        let batch = Array(self.endings.prefix(self.width))
        self.endings.removeFirst(batch.count)
        self.inFlight = .end(batch)
        return .end(batch.map(\.title))
    }

    /// Each subject once: a second request for it waits for the next statement.
    private mutating func acquire(at now: ClusterInstant) -> Order {
        var subjects: Set<LeaseSubject> = []
        var batch: [Asked] = []
        var kept: [Asked] = []
        var looked = 0
        for entry in self.asking {
            guard batch.count < self.width else { break }
            looked += 1
            if subjects.insert(entry.request.subject).inserted {
                batch.append(entry)
            } else {
                kept.append(entry)
            }
        }
        self.asking.replaceSubrange(..<looked, with: kept)
        self.inFlight = .acquire(batch, leftAt: now)
        return .acquire(batch.map(\.request))
    }
}
