/// What the judge knows of files.
struct FileBook {
    struct Decision {
        /// Counts the decisions of the run.
        var number: Int
        var path: Int
    }
    var decisions: [Int: Decision] = [:]
    private var lastNumber = 0
    /// Decided, and a failover lost the decision: whoever was told of it may carry it out all the same.
    var lost: Set<Int> = []
    /// Finished, and a failover lost the finish: the row is there again and waits for the next change of the name.
    var finishedAndLost: Set<Int> = []

    mutating func nextNumber() -> Int {
        self.lastNumber += 1
        return self.lastNumber
    }

    /// The newest decision that each path has shown.
    var shown: [Int: Int] = [:]
    /// The newest decision of which a client heard that it is durable.
    var acknowledged: [Int: Int] = [:]
    /// Staged files that a decided row names.
    var referenced: Set<StagedFileID> = []
}

extension Judge {
    func decided(path: Int, _ id: StagedFileID, by incarnation: Int64) {
        self.files.decisions[id.operation] = FileBook.Decision(
            number: self.files.nextNumber(), path: path)
        self.files.referenced.insert(id)
        // What is decided will be shown, by whoever rolls it forward.
        if self.isDead(incarnation) {
            self.broken(.f5, "upload \(id.operation) of \(incarnation) was decided after its death")
        }
        self.stage.story.tell(.decided(path: path, operation: id.operation, by: incarnation))
    }

    func finished(_ id: StagedFileID) { self.files.referenced.remove(id) }

    func shown(path: Int, operation: Int, isWhole: Bool) {
        self.stage.coverage.count(.fileShown)
        self.stage.story.tell(.shown(path: path, operation: operation))
        guard let decision = self.files.decisions[operation], decision.path == path else {
            return self.broken(.f1, "/\(path) shows upload \(operation), which nobody decided")
        }
        if !isWhole { self.broken(.f1, "/\(path) shows upload \(operation) before its bytes are whole") }
        if self.files.lost.remove(operation) != nil { return self.shownThoughLost(path: path, operation) }
        if let newest = self.files.shown[path], decision.number < newest {
            self.broken(.f2, "/\(path) shows upload \(operation) after a later decision was shown")
        }
        self.files.shown[path] = max(decision.number, self.files.shown[path] ?? 0)
    }

    /// Nobody decides about a decision that is lost, so it counts from when it was carried out.
    private func shownThoughLost(path: Int, _ operation: Int) {
        let number = self.files.nextNumber()
        self.files.decisions[operation]?.number = number
        self.files.shown[path] = number
    }

    /// A loss of power took the newest entry back.
    func unshown(path: Int, now operation: Int?) {
        let left = operation.flatMap { self.files.decisions[$0]?.number } ?? 0
        self.files.shown[path] = left
        if let promised = self.files.acknowledged[path], left < promised {
            self.broken(.f3, "/\(path) lost in a power cut what its client was told is durable")
        }
    }

    func acknowledged(path: Int, operation: Int) {
        self.stage.coverage.count(.fileAcknowledged)
        self.stage.story.tell(.acknowledged(path: path, operation: operation))
        guard let decision = self.files.decisions[operation] else { return }
        self.files.acknowledged[path] = max(decision.number, self.files.acknowledged[path] ?? 0)
        if (self.files.shown[path] ?? 0) < decision.number {
            self.broken(.f3, "the client was told of upload \(operation), and /\(path) does not show it")
        }
    }

    func discarding(_ id: StagedFileID) {
        self.stage.story.tell(.discarded(operation: id.operation))
        // Whoever removes it has read that its owner is dead, and the failover took that back: the upload fails, and
        // its client is told so.
        if self.membership.lostDeaths.contains(id.incarnation) { return }
        if self.files.referenced.contains(id) {
            self.broken(.f4, "what was staged of upload \(id.operation) is removed, and a decision names it")
        }
    }
}
