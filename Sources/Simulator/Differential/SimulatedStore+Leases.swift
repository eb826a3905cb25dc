package import ClusterModel
package import ClusterPorts

extension SimulatedStore: LeaseStore {
    package func acquire(_ requests: [LeaseRequest], by right: NodeRight) throws(StoreError) -> [LeaseAnswer]
    {
        guard !requests.isEmpty else { return [] }
        guard Set(requests.map(\.subject)).count == requests.count else {
            throw .refused(sqlState: "22000", message: "a subject stands twice in one batch of requests")
        }
        return try self.run(AcquireStatement(requests, right)).answers
    }

    package func end(_ titles: [LeaseTitle], by right: NodeRight) throws(StoreError) -> [Bool] {
        try self.run(EndStatement(titles, right)).answers(to: titles)
    }

    package func leases(of subjects: [LeaseSubject]) throws(StoreError) -> [LeaseRecord] {
        try self.run(ReadLeasesStatement(subjects.sorted())).records
    }

    package func leases(_ query: LeaseQuery) throws(StoreError) -> [LeaseRecord] {
        let now = self.database.clock
        let rows = self.database.tables.leases.sorted { $0.value.epoch < $1.value.epoch }
        let records = rows.compactMap { LeaseRecord($0.key, $0.value, now: now) }
        let chosen = records.filter { record in
            (query.kind.map { record.title.subject.kind == $0 } ?? true)
                && (query.incarnation.map { record.incarnation == $0 } ?? true)
                && (query.after.map { record.title.epoch > $0 } ?? true)
        }
        return Array(chosen.prefix(query.limit))
    }

    package func forceEnd(_ title: LeaseTitle) throws(StoreError) -> LeaseRecord? {
        guard let record = try self.leases(of: [title.subject]).first, record.title == title else {
            return nil
        }
        self.database.takeAway([title], isForced: true)
        return record
    }

    package func sweepDead(limit: Int, by right: NodeRight) throws(StoreError) -> [LeaseRecord] {
        let now = self.database.clock
        let rows = self.database.tables.leases
        let statement = try self.run(SweepDeadStatement(limit: limit, right))
        return statement.titles.sorted { $0.epoch < $1.epoch }.compactMap { title in
            rows[title.subject].flatMap { LeaseRecord(title.subject, $0, now: now) }
        }
    }

    package func deadlines(after epoch: Epoch?, limit: Int) throws(StoreError) -> [LeaseRecord] {
        try self.run(DeadlinesStatement(after: epoch, limit: limit)).records
    }

    package func losses(of incarnation: Incarnation, after number: Int64) throws(StoreError) -> [LeaseLoss] {
        try self.run(LossesStatement(of: incarnation.rawValue, after: number)).losses
    }

    package func sweepOverdue(_ titles: [LeaseTitle], by right: NodeRight) throws(StoreError) -> [LeaseTitle]
    {
        let statement = try self.run(TakeAwayStatement(titles.sorted { $0.subject < $1.subject }, right))
        return zip(statement.titles, statement.deleted).filter(\.1).map(\.0)
    }
}

extension Database {
    /// An operator's order needs no right.
    func takeAway(_ titles: [LeaseTitle], isForced: Bool) {
        for title in titles {
            guard let row = self.tables.leases[title.subject], row.epoch == title.epoch.rawValue else {
                continue
            }
            self.tables.leases[title.subject] = nil
            self.noteLoss(title, of: row)
        }
    }

    /// Only living holders are told.
    func noteLoss(_ title: LeaseTitle, of row: LeaseRow) {
        guard self.tables.isLive(row.slot, row.incarnation) else { return }
        let number = Int64((self.tables.losses[row.incarnation] ?? []).count + 1)
        self.tables.losses[row.incarnation, default: []].append(LeaseLoss(number: number, title: title))
    }
}
