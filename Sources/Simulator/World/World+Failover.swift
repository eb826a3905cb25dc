import ClusterModel

/// Faults that change what the database is: another server, or another schema.
extension World {
    /// From now on the replica gets nothing more; so many milliseconds later it is promoted.
    ///
    /// What was committed in between is lost, although its clients were told. The replica's server has a clock of
    /// its own, and a promotion begins a new timeline.
    func failOver(_ fault: Fault) {
        guard self.server.isUp, !self.isFailingOver else { return }
        self.isFailingOver = true
        let kept = self.server.database.tables
        let books = self.judge.books
        self.stage.after(fault.amount * Span.millisecond) { [unowned self] in
            self.isFailingOver = false
            guard self.stage.now < self.plan.calmFrom else { return }
            self.server.stop(isCrash: false)
            self.server.promote(kept)
            self.judge.clockSteppedAt = self.stage.now
            self.judge.wentBack(to: books)
            self.stage.after(self.untilCalm(fault.length)) { [unowned self] in
                self.stage.story.tell(.databaseBack)
                self.server.start()
            }
        }
    }

    /// The next version of the program brings the schema up to date; versions next to each other can live with it.
    ///
    /// - Parameter fault: with an amount of 2 the new schema is one that older programs cannot read.
    func upgrade(_ host: Host, _ fault: Fault) {
        guard host.schema < self.newestSchema else { return }
        host.schema += 1
        if fault.amount == 2 { self.schemasForNewOnly.insert(host.schema) }
        self.kill(host, isSilent: false, restart: fault.length)
    }

    /// How many versions of the program there are in a run.
    private var newestSchema: Int { 4 }
}
