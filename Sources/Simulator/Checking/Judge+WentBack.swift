import ClusterModel

/// What the judge knows; a copy is what it knew at that moment.
struct Books {
    var membership: MembershipBook
    var leases: LeaseBook
    var files: FileBook
    var jobs: JobBook
    var shards: ShardBook
}

/// A failover with loss takes commits back, and nothing else: what was renamed is renamed, what was told is told.
extension Judge {
    var books: Books {
        Books(
            membership: self.membership, leases: self.leases, files: self.files, jobs: self.jobs,
            shards: self.shards)
    }

    /// What the database knows is what it knew then.
    ///
    /// Numbers that were given out stay given out: incarnations and epochs must be new all the same (M1, L2). A
    /// death that is lost has to be found again; a file of which a client was told stays where it is.
    func wentBack(to books: Books) {
        for incarnation in self.membership.deaths.keys where books.membership.deaths[incarnation] == nil {
            self.membership.lostDeaths.insert(incarnation)
        }
        self.membership.deaths = books.membership.deaths
        self.membership.views = books.membership.views
        self.membership.leaders = books.membership.leaders
        self.membership.term = books.membership.term
        self.membership.readers = books.membership.readers
        self.membership.readersRaisedAt = books.membership.readersRaisedAt
        for slot in self.membership.pulses.indices
        where self.membership.pulses[slot].incarnation != books.membership.pulses[slot].incarnation {
            self.membership.pulses[slot] = books.membership.pulses[slot]
        }
        for (subject, grant) in books.leases.current
        where self.leases.current[subject]?.epoch != grant.epoch {
            self.leases.forgotten.insert(grant.epoch)
        }
        self.leases.current = books.leases.current
        self.leases.accepted = books.leases.accepted
        for id in books.files.referenced.subtracting(self.files.referenced) {
            self.files.finishedAndLost.insert(id.operation)
        }
        self.files.referenced = books.files.referenced
        self.jobsWentBack(to: books.jobs)
        let highest = self.shards.highest
        self.shards = books.shards
        self.shards.highest = highest
        for operation in self.files.decisions.keys where books.files.decisions[operation] == nil {
            self.files.lost.insert(operation)
        }
    }

    /// Jobs are where the replica has them; epochs that were given out stay given out.
    ///
    /// A claim whose end was lost is its holder's again, who does not know of it.
    private func jobsWentBack(to books: JobBook) {
        let (highest, accepted, forgotten) = (self.jobs.highest, self.jobs.accepted, self.jobs.forgotten)
        self.jobs = books
        self.jobs.highest = highest
        self.jobs.forgotten = forgotten.union(accepted.subtracting(books.accepted))
        self.fairness = FairnessBook()
    }

    /// Its holder has ended it, and the end is lost: nobody but the death of its holder will end it again.
    func isForgotten(_ subject: LeaseSubject, _ row: LeaseRow) -> Bool {
        self.leases.forgotten.contains(row.epoch)
    }

    // MARK: Schemas

    func migrated(to version: Int, readers: Int) {
        if readers > self.membership.readers {
            self.membership.readers = readers
            self.membership.readersRaisedAt = self.now
        }
        self.stage.coverage.count(.schemaMigrated)
        self.stage.story.tell(.migrated(to: version))
    }

    /// A join that began before the migration's commit is as good as one that ended before it: that node goes on
    /// serving as well.
    ///
    /// - Parameter start: when the join's statement began.
    func reads(_ schema: Int, of incarnation: Int64, since start: Int64, _ cluster: ClusterRow) {
        if cluster.minReaderVersion > schema, start > self.membership.readersRaisedAt {
            self.broken(
                .v1,
                "\(incarnation) knows schema \(schema) and joined one for programs that know \(cluster.minReaderVersion)"
            )
        }
        if cluster.schemaVersion > schema { self.stage.coverage.count(.oldProgramLivedOn) }
    }
}
