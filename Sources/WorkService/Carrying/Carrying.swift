import ClusterModel
import ClusterPorts

/// One run of a copy or a move.
struct Carrying: Sendable {
    let work: CarryHandler
    let job: ClaimedJob
    let desk: any JobDesk
    let order: CarryOrder
    let from: HomePlace
    let to: HomePlace

    /// Where a step stands.
    private enum Standing {
        case done(round: Int)
        /// To be done under this round's id.
        case open(round: Int)
    }

    func copy() async throws(CarryBreak) -> String {
        switch try await self.standing(of: .publish, at: self.to) {
        case .done: return "\(self.to) was published by an earlier attempt"
        case .open(let round):
            let source = try await self.publish(try await self.source(), round)
            return "copied \(source.size) bytes to \(self.to)"
        }
    }

    func move() async throws(CarryBreak) -> String {
        let renaming: Standing? =
            self.isWithinHome ? try await self.standing(of: .rename, at: self.from) : nil
        if case .done = renaming { return "\(self.from) was moved by an earlier attempt" }
        switch try await self.standing(of: .publish, at: self.to) {
        case .done(let round):
            let noted = CarryCheckpoint(self.job.checkpoint)
            return try await self.clearSource(noted?.round == round ? noted?.source : nil)
        case .open(let round):
            let source = try await self.source()
            if case .open(let round) = renaming, try await self.status(of: self.to) == nil {
                return try await self.rename(source, round)
            }
            return try await self.clearSource(try await self.publish(source, round))
        }
    }

    private var isWithinHome: Bool { self.from.account.id == self.to.account.id }

    // MARK: - Steps

    private func rename(_ source: FileStatus, _ round: Int) async throws(CarryBreak) -> String {
        if self.order.digest != nil {
            let digest = try await self.digest(of: source)
            if let objection = CarryRules.objection(to: digest, of: self.order) { throw .failed(objection) }
        }
        let change = try self.change(.rename, round)
        do throws(CarryBreak) {
            try await onFiles { () async throws(JobFileFault) in
                try await self.work.files.move(
                    self.from, to: self.to.path, identity: source.identity,
                    makesParents: self.order.makesParents, change)
            }
        } catch {
            // A renaming replaces nothing; what came to the target just now is replaced by the next attempt.
            guard self.order.replaces, try await self.status(of: self.to) != nil else { throw error }
            throw .later("something came to \(self.to) meanwhile")
        }
        return "moved to \(self.to)"
    }

    /// Copies into staging and makes that visible; answers which file was copied.
    private func publish(_ found: FileStatus, _ round: Int) async throws(CarryBreak) -> FileIdentity {
        let options = JobFileOptions(replaces: self.order.replaces, makesParents: self.order.makesParents)
        try await onFiles { () async throws(JobFileFault) in
            try await self.work.files.check(self.to, options)
        }
        let change = try self.change(.publish, round)
        let copy = try await self.stage(found, change.operation, by: change.right)
        do throws(CarryBreak) {
            if let objection = CarryRules.objection(to: copy.sealed.digest, of: self.order) {
                throw .failed(objection)
            }
            if self.work.errand == .move { try await self.note(copy.source, round) }
        } catch {
            await self.discard(copy.sealed.staged.name)
            throw error
        }
        try await onFiles { () async throws(JobFileFault) in
            try await self.work.files.publish(copy.sealed, at: self.to, options, change)
        }
        return copy.source
    }

    /// Before the copy is decided: a run that finds it decided must know what it is a copy of.
    private func note(_ source: FileIdentity, _ round: Int) async throws(CarryBreak) {
        let checkpoint = CarryCheckpoint(round: round, source: source)
        let progress = JobProgress(fraction: 1, note: "copied", checkpoint: checkpoint.text)
        guard await self.desk.note(progress, of: self.job.title) else {
            throw .later("which file is moved could not be noted")
        }
    }

    /// After the copy is durable and visible.
    ///
    /// - Parameter identity: of the file that was copied; nil when nothing says it any more.
    private func clearSource(_ identity: FileIdentity?) async throws(CarryBreak) -> String {
        guard case .open(let round) = try await self.standing(of: .remove, at: self.from) else {
            return "\(self.from) was moved by an earlier attempt"
        }
        guard let found = try await self.status(of: self.from) else { return "moved to \(self.to)" }
        guard let identity else {
            throw .failed(
                "\(self.to) is published, but nothing says any more which file it is a copy of: \(self.from) stays"
            )
        }
        if found.identity == identity {
            let change = try self.change(.remove, round)
            let removed = try await onFiles { () async throws(JobFileFault) in
                try await self.work.files.remove(self.from, identity: identity, change)
            }
            if removed { return "moved \(identity.size) bytes to \(self.to)" }
            if try await self.status(of: self.from) == nil { return "moved to \(self.to)" }
        }
        return "copied to \(self.to); another file came to \(self.from) meanwhile and stays"
    }

    // MARK: - Looking

    private func standing(of step: CarryStep, at place: HomePlace) async throws(CarryBreak) -> Standing {
        for round in 0..<CarryStep.rounds {
            let operation = step.operation(of: self.job.title.job, round: round)
            let outcome = try await onFiles { () async throws(JobFileFault) in
                try await self.work.files.outcome(of: operation, at: place)
            }
            switch outcome {
            case .nothing: return .open(round: round)
            case .completed: return .done(round: round)
            case .failed: continue
            case .unknown(let reason):
                // It may have been done and undone by others: doing it again could show it twice.
                throw .failed(
                    "whether an earlier attempt changed \(place) is unknown: it was decided, and \(reason); "
                        + "look at it, and submit the job again if it is to be done")
            }
        }
        throw .failed("it was decided \(CarryStep.rounds) times and could never be carried out")
    }

    /// What is to be carried, before anything of it has begun.
    private func source() async throws(CarryBreak) -> FileStatus {
        for (place, field) in [(self.from, "from"), (self.to, "to")] where !place.account.enabled {
            throw .failed(
                "the payload's field “\(field).account”: the account “\(place.account.name)” is disabled")
        }
        let found = try await self.status(of: self.from)
        if let objection = CarryRules.objection(to: found, of: self.order) { throw .failed(objection) }
        guard let found else { throw .failed("nothing stands at \(self.from)") }
        return found
    }

    func status(of place: HomePlace) async throws(CarryBreak) -> FileStatus? {
        do throws(VaultError) {
            return try await self.work.vault.status(of: place.path, in: place.account.name)
        } catch {
            throw CarryBreak(error)
        }
    }

    private func change(_ step: CarryStep, _ round: Int) throws(CarryBreak) -> JobChange {
        guard let right = self.desk.right(of: self.job.title) else { throw .stopped("the claim was lost") }
        let operation = step.operation(of: self.job.title.job, round: round)
        let enabled: [AccountID]
        switch step {
        case .publish, .rename: enabled = [self.from.account.id, self.to.account.id]
        // What is copied is moved: it would stand in both homes until somebody enables the account.
        case .remove: enabled = []
        }
        return JobChange(operation: operation, title: self.job.title, right: right, enabled: enabled)
    }
}

/// Runs a call of the file service and says its failure in the words of a run.
private func onFiles<Value>(
    _ call: () async throws(JobFileFault) -> Value
) async throws(CarryBreak) -> Value {
    do { return try await call() } catch { throw CarryBreak(error) }
}
