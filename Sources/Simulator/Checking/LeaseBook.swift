import ClusterModel

/// What the judge knows of leases.
struct LeaseBook {
    struct Grant {
        var epoch: Int64
        var incarnation: Int64
        var orderKey: LeaseSubject?
        var limit: LeaseLimit?
    }
    /// Who holds what, as the commits had it.
    var current: [LeaseSubject: Grant] = [:]
    var highest: [LeaseSubject: Int64] = [:]
    /// Epochs that ended, and whose end a failover lost.
    var forgotten: Set<Int64> = []
    /// Whose completion was accepted.
    var accepted: Set<LeaseTitle> = []
}

extension Judge {
    func granted(_ title: LeaseTitle, _ row: LeaseRow, _ tables: Tables) {
        if let holder = self.leases.current[title.subject] {
            self.broken(
                .l1, "\(title.subject) was given to \(row.incarnation) while \(holder.incarnation) had it")
        }
        if let highest = self.leases.highest[title.subject], row.epoch <= highest {
            self.broken(.l2, "\(title.subject) got epoch \(row.epoch) after \(highest)")
        }
        if self.isDead(row.incarnation) {
            self.broken(.l4, "\(row.incarnation) was given \(title.subject) after its death")
        }
        self.checkOrder(title, row)
        if self.leases.highest[title.subject] != nil { self.stage.coverage.count(.leaseTakenOver) }
        self.leases.highest[title.subject] = row.epoch
        self.leases.current[title.subject] = LeaseBook.Grant(
            epoch: row.epoch, incarnation: row.incarnation, orderKey: row.orderKey, limit: row.limit)
        self.stage.coverage.count(.granted)
        self.stage.story.tell(
            .granted(subject: title.subject.description, epoch: row.epoch & 0xFF_FFFF, to: row.incarnation))
    }

    private func checkOrder(_ title: LeaseTitle, _ row: LeaseRow) {
        if let key = row.orderKey, self.leases.current.contains(where: { $0.value.orderKey == key }) {
            self.broken(.l5, "\(title.subject) was given although another holds the order key \(key)")
        }
        if let limit = row.limit {
            let held = self.leases.current.values.count { $0.limit?.key == limit.key }
            if held >= limit.slots {
                self.broken(.l5, "\(held + 1) leases under \(limit.key) of \(limit.slots)")
            }
        }
    }

    func completed(_ title: LeaseTitle, by incarnation: Int64) {
        let epoch = title.epoch.rawValue
        if !self.leases.accepted.insert(title).inserted {
            self.broken(.l3, "\(title.subject), epoch \(epoch), was completed twice")
        }
        let current = self.leases.current[title.subject]
        if current?.epoch != epoch || current?.incarnation != incarnation {
            self.broken(
                .l4,
                "\(incarnation) completed \(title.subject) by epoch \(epoch), which is not the current one")
        }
        if self.isDead(incarnation) {
            self.broken(.l4, "\(incarnation) completed \(title.subject) after its death")
        }
        self.leases.current[title.subject] = nil
        self.stage.coverage.count(.completed)
        self.stage.story.tell(
            .ended(subject: title.subject.description, epoch: epoch & 0xFF_FFFF, by: incarnation))
    }

    func swept(_ title: LeaseTitle, _ row: LeaseRow) {
        if self.leases.accepted.contains(title) {
            self.broken(.l3, "\(title.subject), epoch \(title.epoch), was completed, and there it is again")
        }
        if self.leases.current[title.subject]?.epoch != title.epoch.rawValue {
            self.broken(.l4, "\(title.subject), epoch \(title.epoch), was swept and is not the current one")
        }
        self.leases.current[title.subject] = nil
        self.stage.coverage.count(.leaseSwept)
        self.stage.story.tell(
            .swept(subject: title.subject.description, epoch: row.epoch & 0xFF_FFFF, of: row.incarnation))
    }
}
