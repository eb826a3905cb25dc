import ClusterModel

/// Uploads on their way through a node: stage, seal, decide, roll forward, answer, finish (docs/FILES.md).
struct Writer {
    var open = 0
    static let openMax = 4
}

/// One upload of one client.
struct Upload {
    var operation: Int
    var path: FileKey
    var staged: StagedFileID
    /// A client waits for the answer.
    var hasClient = true
    /// The decision whose answer was lost: its session is ended before anybody looks what became of it.
    var lost: DecideStatement?
}

extension NodeProcess {
    func beginUploads() {
        let pause = self.world.plan.workPause
        guard pause > 0, self.world.settings.files else { return }
        self.after(.nanoseconds(self.lots.between(pause / 2, pause * 3))) { [unowned self] in
            self.upload()
            self.beginUploads()
        }
    }

    private func upload() {
        guard case .serving(let right, _) = self.standing(), self.writer.open < Writer.openMax,
            self.world.hasWork
        else { return }
        let operation = self.world.nextOperation()
        let id = StagedFileID(incarnation: right.incarnation.rawValue, operation: operation)
        let path = FileKey(path: self.lots.below(4 + self.world.settings.nodes / 2))
        let upload = Upload(operation: operation, path: path, staged: id)
        self.writer.open += 1
        self.onMount { [unowned self] in
            guard self.world.mount.stage(id, by: self.number) else { return self.closed() }
            if self.twin == .publishUnsealed { return self.decide(upload, right) }
            // The bytes come for a while.
            self.after(.milliseconds(self.lots.between(1, 1_500))) { [unowned self] in
                self.onMount { [unowned self] in
                    guard self.world.mount.seal(id) else { return self.giveUp(upload) }
                    self.decide(upload, right)
                }
            }
        }
    }

    private func closed() { self.writer.open -= 1 }

    private func giveUp(_ upload: Upload) {
        self.onMount { [unowned self] in
            self.world.mount.discard(upload.staged)
            self.closed()
        }
    }

    /// A call of the mount takes its time; the node does other things meanwhile.
    func onMount(_ body: @escaping () -> Void) {
        self.after(.nanoseconds(self.world.mount.delay()), body)
    }

    /// Whether the node still lives as the one that had the right; an isolated one must not act.
    func holds(_ right: NodeRight) -> Bool { self.workingRight()?.incarnation == right.incarnation }

    // MARK: Deciding

    private func decide(_ upload: Upload, _ right: NodeRight, attempt: Int = 0) {
        guard self.holds(right), attempt < 20 else { return self.giveUp(upload) }
        let statement = DecideStatement(upload.path, upload.staged, right)
        self.ask(statement) { [unowned self] result in
            switch result {
            case .success(let statement):
                switch statement.verdict {
                case .decided: self.carry(upload, right)
                case .fenced:
                    self.stage.coverage.count(.decisionFenced)
                    self.giveUp(upload)
                case .busyName: self.clearTheWay(upload, right, attempt: attempt)
                }
            case .failure(.mayHaveRun):
                var upload = upload
                upload.lost = statement
                self.resolve(upload, right)
            case .failure: self.giveUp(upload)
            }
        }
    }

    /// Carries out the decision that stands in the way, then tries again.
    private func clearTheWay(_ upload: Upload, _ right: NodeRight, attempt: Int) {
        self.stage.coverage.count(.nameBusy)
        let again = { [unowned self] in
            self.after(.milliseconds(self.lots.between(5, 150))) { [unowned self] in
                self.decide(upload, right, attempt: attempt + 1)
            }
        }
        self.ask(UnfinishedStatement(.path(upload.path))) { [unowned self] result in
            guard case .success(let statement) = result, let (path, row) = statement.rows.first,
                self.holds(right)
            else { return again() }
            let other = Upload(operation: row.operation, path: path, staged: row.staged, hasClient: false)
            self.rollForward(other) { _ in again() }
        }
    }

    /// After a lost answer: the row, then the log, tell what became of it (R2).
    private func resolve(_ upload: Upload, _ right: NodeRight) {
        let look = UnfinishedStatement(.path(upload.path), log: upload.operation)
        look.ends = upload.lost
        self.ask(look) { [unowned self] result in
            guard case .success(let statement) = result else { return self.careLater(upload, right) }
            if statement.rows.first?.1.operation == upload.operation { return self.carry(upload, right) }
            if let log = statement.log {
                if log.completed { self.answer(upload) }
                return self.closed()
            }
            // It may still be decided by a statement that is on its way: then nothing staged is there to be shown.
            self.giveUp(upload)
            self.lookAgain(upload, right)
        }
    }

    /// A statement whose answer was lost may still be running: whatever it leaves is found later.
    private func lookAgain(_ upload: Upload, _ right: NodeRight) {
        self.after(.seconds(15)) { [unowned self] in
            guard self.holds(right) else { return self.lookAgain(upload, right) }
            self.ask(UnfinishedStatement(.path(upload.path))) { [unowned self] result in
                guard case .success(let statement) = result else { return self.lookAgain(upload, right) }
                guard statement.rows.first?.1.operation == upload.operation else { return }
                var upload = upload
                upload.hasClient = false
                self.rollForward(upload) { [unowned self] isDone in
                    if !isDone { self.lookAgain(upload, right) }
                }
            }
        }
    }

    // MARK: After the decision

    private func carry(_ upload: Upload, _ right: NodeRight) {
        // Whoever was taken for dead renames nothing: others have rolled this forward, and more after it.
        guard self.holds(right) else { return self.careLater(upload, right) }
        self.rollForward(upload) { [unowned self] isDone in
            guard isDone else { return self.careLater(upload, right) }
            self.closed()
        }
    }

    private func careLater(_ upload: Upload, _ right: NodeRight) {
        self.closed()
        var upload = upload
        upload.hasClient = false
        self.after(.seconds(1)) { [unowned self] in
            self.writer.open += 1
            guard self.holds(right) else { return self.careLater(upload, right) }
            self.resolve(upload, right)
        }
    }

    /// Renames, syncs, answers, finishes; any node may, and again.
    ///
    /// True when the row is on its way out.
    func rollForward(_ upload: Upload, then done: @escaping (Bool) -> Void) {
        self.onMount { [unowned self] in
            let outcome = self.world.mount.rename(upload.staged, to: upload.path.path, by: self.number)
            switch outcome {
            case .failed: done(false)
            case .shown: self.settleShown(upload, done)
            case .superseded: self.askLog(upload, done)
            }
        }
    }

    private func settleShown(_ upload: Upload, _ done: @escaping (Bool) -> Void) {
        if self.twin == .answerBeforeSync { self.answer(upload) }
        self.after(.nanoseconds(self.world.mount.syncDelay())) { [unowned self] in
            guard self.world.mount.syncFolder(of: upload.path.path) else { return done(false) }
            if self.twin != .answerBeforeSync { self.answer(upload) }
            self.finish(upload, completed: true, done)
        }
    }

    /// The staged name is gone and the path shows something else: only the log knows whether it was shown before.
    private func askLog(_ upload: Upload, _ done: @escaping (Bool) -> Void) {
        self.ask(UnfinishedStatement(.path(upload.path), log: upload.operation)) { [unowned self] result in
            guard case .success(let statement) = result else { return done(false) }
            if let log = statement.log {
                if log.completed { self.answer(upload) }
                return done(true)
            }
            self.finish(upload, completed: false, done)
        }
    }

    private func finish(_ upload: Upload, completed: Bool, _ done: @escaping (Bool) -> Void) {
        self.ask(FinishStatement(upload.path, operation: upload.operation, completed: completed)) {
            [unowned self] result in
            if case .success(let statement) = result, statement.finished, completed, !upload.hasClient {
                self.stage.coverage.count(.fileRolledForwardByOther)
            }
            if case .success = result { done(true) } else { done(false) }
        }
    }

    private func answer(_ upload: Upload) {
        guard upload.hasClient else { return }
        self.world.judge.acknowledged(path: upload.path.path, operation: upload.operation)
    }
}
