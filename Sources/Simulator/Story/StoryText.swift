/// Stories in plain sentences.
enum StoryText {
    /// - Parameter hosts: labels of the machines by index.
    static func lines(_ story: Story, hosts: [String]) -> [String] {
        var names: [Int64: String] = [:]
        var drawing: [String] = []
        for line in story.lines {
            if case .joined(let incarnation, let slot) = line.event {
                names[incarnation] = "\(Self.short(incarnation)) in slot \(slot)"
            }
            let text = Self.sentence(line.event, hosts: hosts, names: names)
            drawing.append("\(Self.moment(line.at))  \(text)")
        }
        return drawing
    }

    static func moment(_ nanoseconds: Int64) -> String {
        let milliseconds = nanoseconds / Span.millisecond
        let text = "\(milliseconds / 1_000).\(String(milliseconds % 1_000 + 1_000).dropFirst())"
        return String(repeating: " ", count: max(0, 9 - text.count)) + text + " s"
    }

    /// Incarnations are shown by their number within the timeline.
    static func short(_ incarnation: Int64) -> String { "#\(incarnation & ((1 << 40) - 1))" }

    private static func sentence(_ event: StoryEvent, hosts: [String], names: [Int64: String]) -> String {
        func host(_ index: Int) -> String { hosts.indices.contains(index) ? hosts[index] : "host \(index)" }
        func who(_ incarnation: Int64) -> String { names[incarnation] ?? Self.short(incarnation) }
        switch event {
        case .started(let index, _): return "\(host(index)) starts"
        case .killed(let index, let isSilent):
            return isSilent ? "\(host(index)) loses power" : "\(host(index)) is gone"
        case .exited(let index, let reason): return "\(host(index)) gives up: \(reason)"
        case .paused(let index, let milliseconds): return "\(host(index)) is paused for \(milliseconds) ms"
        case .resumed(let index): return "\(host(index)) wakes"
        case .fault(let fault): return Self.sentence(fault, host(fault.host))
        case .databaseBack: return "the database is back"
        case .migrated(let version): return "the schema is at version \(version)"
        case .calm: return "from here on nothing goes wrong"
        case .drew(let incarnation): return "incarnation \(Self.short(incarnation)) is drawn"
        case .joined(let incarnation, let slot): return "\(Self.short(incarnation)) joins in slot \(slot)"
        case .declaredDead(let target, let accuser, let lockHeld):
            let why = lockHeld ? "it was silent for the slow window" : "its lock is gone and it was silent"
            return "\(who(accuser)) has \(who(target)) declared dead: \(why)"
        case .evicted(let target, let joiner): return "the joiner \(who(joiner)) evicts \(who(target))"
        case .died(let incarnation, _): return "\(who(incarnation)) is dead"
        case .foundDead(let index, let incarnation):
            return "\(host(index)) finds that its \(who(incarnation)) is dead"
        case .led(let incarnation, let term): return "\(who(incarnation)) leads in term \(term)"
        case .broken(let violation):
            return
                "\(violation.invariant.rawValue) is broken (\(violation.invariant.sentence)): \(violation.reason)"
        case .granted, .ended, .refusedEnd, .swept: return Self.lease(event, who: who)
        case .enqueued, .claimed, .finished, .claimTaken, .assigned, .tookShard:
            return Self.work(event, who: who)
        case .decided, .shown, .acknowledged, .discarded: return Self.file(event, who: who)
        }
    }

    private static func lease(_ event: StoryEvent, who: (Int64) -> String) -> String {
        switch event {
        case .granted(let subject, let epoch, let holder):
            "\(who(holder)) gets \(subject) with epoch \(epoch)"
        case .ended(let subject, let epoch, let holder): "\(who(holder)) completes \(subject), epoch \(epoch)"
        case .refusedEnd(let subject, let epoch, let holder):
            "\(who(holder)) is refused \(subject), epoch \(epoch)"
        case .swept(let subject, let epoch, let holder):
            "\(subject), epoch \(epoch), is taken from \(who(holder))"
        default: ""
        }
    }

    private static func work(_ event: StoryEvent, who: (Int64) -> String) -> String {
        switch event {
        case .enqueued(let job, let kind, let key):
            "job \(job) is enqueued: \(kind)\(key.map { " under " + $0 } ?? "")"
        case .claimed(let job, let epoch, let holder): "\(who(holder)) claims job \(job), epoch \(epoch)"
        case .finished(let job, let epoch, let holder): "\(who(holder)) ends job \(job), epoch \(epoch)"
        case .claimTaken(let job, let epoch, let holder):
            "job \(job), epoch \(epoch), is taken from \(who(holder))"
        case .assigned(let shard, let node): "shard \(shard) shall be \(who(node))'s"
        case .tookShard(let shard, let epoch, let node): "\(who(node)) takes shard \(shard), epoch \(epoch)"
        default: ""
        }
    }

    private static func file(_ event: StoryEvent, who: (Int64) -> String) -> String {
        switch event {
        case .decided(let path, let operation, let node):
            "\(who(node)) decides that /\(path) shall show upload \(operation)"
        case .shown(let path, let operation): "/\(path) shows upload \(operation)"
        case .acknowledged(let path, let operation): "the client hears that upload \(operation) is /\(path)"
        case .discarded(let operation): "what was staged of upload \(operation) is removed"
        default: ""
        }
    }

    private static func sentence(_ fault: Fault, _ host: String) -> String {
        let length = fault.length > 0 ? " for \(fault.length / Span.millisecond) ms" : ""
        switch fault.kind {
        case .renamePower, .restart, .crash, .outage, .hang, .stall, .mountHang, .mountError, .renameLies:
            return "FAULT: \(fault.kind.words)\(length)"
        case .failover: return "FAULT: \(fault.kind.words), of \(fault.amount) ms\(length)"
        case .clock: return "FAULT: the database's clock is set by \(fault.amount) ms"
        case .backend, .force, .skew: return "FAULT: \(fault.kind.words)"
        case .storm: return "FAULT: \(fault.amount) processes are killed at once"
        case .kill, .power, .pause, .stepPause, .commitPause, .rival, .leave, .down, .upgrade, .cut,
            .cutRequests, .cutAnswers, .slow:
            return "FAULT at \(host): \(fault.kind.words)\(length)"
        }
    }
}
