/// The shared mount: staged files and names, with what a loss of power takes back.
///
/// Content is the number of the upload that it came from.
final class SimulatedMount {
    struct Staged {
        /// All bytes are written and synced.
        var isWhole: Bool
        /// Which process writes it, or wrote it.
        var writer: Int32
    }

    struct Shown {
        var operation: Int
        var isWhole: Bool
        /// The folder is synced: a loss of power keeps it.
        var isDurable: Bool
        var renamer: Int32
        /// What stood there before, as far as the disk knows.
        var before: Before?
    }

    indirect enum Before {
        case nothing(StagedFileID, Staged)
        case shown(Shown, StagedFileID, Staged)
    }

    enum Outcome: Equatable {
        case shown
        /// The staged name is gone and the path shows something else.
        case superseded
        case failed
    }

    private let stage: Stage
    private let judge: Judge
    private let twin: Twin?
    private var lots: SeededRandom
    private let syncMax: Int64
    private(set) var staged: [StagedFileID: Staged] = [:]
    private(set) var shown: [Int: Shown] = [:]
    private var noted: Set<Int64> = []
    private(set) var highestIncarnation: Int64 = 0
    private var hangsUntil: Int64 = 0
    private var failsUntil: Int64 = 0
    private var liesUntil: Int64 = 0
    /// The power goes after the next rename, and comes back after so long.
    private var cutsAfterRename: Int64?
    var powerCut: (Int64) -> Void = { _ in }

    init(stage: Stage, judge: Judge, twin: Twin?, lots: SeededRandom, syncMax: Int64) {
        self.stage = stage
        self.judge = judge
        self.twin = twin
        self.lots = lots
        self.syncMax = syncMax
    }

    // MARK: Membership's part

    func isInOrder(for host: Host) -> Bool { max(self.hangsUntil, self.failsUntil) <= self.stage.now }

    func note(_ incarnation: Int64) -> Bool {
        self.highestIncarnation = max(self.highestIncarnation, incarnation)
        return self.noted.insert(incarnation).inserted
    }

    /// What a joiner that was refused staged: nothing.
    func removeStaging(of incarnation: Int64?) {}

    // MARK: Faults

    func disturb(_ fault: Fault, until length: Int64) {
        let until = self.stage.now + length
        switch fault.kind {
        case .mountHang: self.hangsUntil = max(self.hangsUntil, until)
        case .mountError: self.failsUntil = max(self.failsUntil, until)
        default: self.liesUntil = max(self.liesUntil, until)
        }
    }

    func cutPowerAfterRename(restart: Int64) { self.cutsAfterRename = restart }

    func settle() {
        self.cutsAfterRename = nil
        self.hangsUntil = 0
        self.failsUntil = 0
        self.liesUntil = 0
    }

    /// What a probe would say at this moment.
    var trouble: String? {
        if self.hangsUntil > self.stage.now { return "the mount does not answer" }
        return self.isFailing ? "the mount answers with an error" : nil
    }

    /// How long a call takes: as long as the mount hangs, and a little more.
    func delay() -> Int64 {
        max(0, self.hangsUntil - self.stage.now)
            + self.lots.between(50 * Span.microsecond, 8 * Span.millisecond)
    }

    func syncDelay() -> Int64 { self.delay() + self.lots.between(0, self.syncMax) }

    var isFailing: Bool { self.failsUntil > self.stage.now }

    /// The machine under the mount loses power, and every process on it: renames whose folder was not synced may be
    /// gone.
    ///
    /// A client of a network file system that loses power takes nothing back: its renames are the server's.
    func losePower() {
        for path in self.shown.keys.sorted() {
            guard let shown = self.shown[path], !shown.isDurable, let before = shown.before,
                self.lots.chance(500)
            else { continue }
            self.stage.coverage.count(.powerCutLostBytes)
            switch before {
            case .nothing(let id, let staged):
                self.shown[path] = nil
                self.staged[id] = staged
                self.judge.unshown(path: path, now: nil)
            case .shown(let older, let id, let staged):
                self.shown[path] = older
                self.staged[id] = staged
                self.judge.unshown(path: path, now: older.operation)
            }
        }
    }

    // MARK: Files

    func stage(_ id: StagedFileID, by process: Int32) -> Bool {
        guard !self.isFailing else { return false }
        self.staged[id] = Staged(isWhole: false, writer: process)
        return true
    }

    func seal(_ id: StagedFileID) -> Bool {
        guard !self.isFailing, self.staged[id] != nil else { return false }
        self.staged[id]?.isWhole = true
        return true
    }

    /// Renames the staged file to the path; the staged name is gone afterwards, so a late helper finds nothing.
    func rename(_ id: StagedFileID, to path: Int, by process: Int32) -> Outcome {
        guard !self.isFailing else { return .failed }
        guard let staged = self.staged[id] else {
            return self.shown[path]?.operation == id.operation ? .shown : .superseded
        }
        let before: Before = self.shown[path].map { .shown($0, id, staged) } ?? .nothing(id, staged)
        self.staged[id] = nil
        self.shown[path] = Shown(
            operation: id.operation, isWhole: staged.isWhole, isDurable: false, renamer: process,
            before: self.trimmed(before))
        self.judge.shown(path: path, operation: id.operation, isWhole: staged.isWhole)
        if let restart = self.cutsAfterRename {
            self.cutsAfterRename = nil
            let pause = self.lots.between(0, max(self.syncMax / 2, 5 * Span.millisecond))
            self.stage.after(pause) { [unowned self] in self.powerCut(restart) }
        }
        guard self.liesUntil <= self.stage.now else {
            self.stage.coverage.count(.renameAnsweredWithError)
            return .failed
        }
        return .shown
    }

    /// What stood there before is on disk, or was never promised: one step back is enough.
    private func trimmed(_ before: Before) -> Before {
        guard case .shown(var older, let id, let staged) = before else { return before }
        older.before = nil
        older.isDurable = true
        return .shown(older, id, staged)
    }

    func syncFolder(of path: Int) -> Bool {
        guard !self.isFailing else { return false }
        self.shown[path]?.isDurable = true
        self.shown[path]?.before = nil
        return true
    }

    /// What lies in staging of those that `isGone` names.
    func listStaging(ofThose isGone: (Int64) -> Bool) -> [StagedFileID] {
        self.staged.keys.filter { isGone($0.incarnation) }.sorted { $0.operation < $1.operation }
    }

    func listStaging(of incarnation: Int64) -> [StagedFileID]? {
        guard !self.isFailing else { return nil }
        return self.staged.keys.filter { $0.incarnation == incarnation }.sorted {
            $0.operation < $1.operation
        }
    }

    func discard(_ id: StagedFileID) {
        guard !self.isFailing, self.staged[id] != nil else { return }
        self.judge.discarding(id)
        self.staged[id] = nil
    }
}
