import ClusterModel
import Coordinator

/// Acquires leases of a stock of jobs, works for a while, and completes them; drives `Leasing` as the runtime does.
final class Claimer {
    unowned let process: NodeProcess
    private let right: NodeRight
    private var leasing: Leasing
    private var tickets: [Leasing.Ticket: Wanted] = [:]
    private var lastTicket: UInt64 = 0
    private var overdue = OverdueWatch()
    private var wokeAt: ClusterInstant?

    /// What somebody waits for.
    private enum Wanted {
        case grant
        case end(LeaseTitle)
    }

    init(_ process: NodeProcess, _ right: NodeRight) {
        self.process = process
        self.right = right
        self.leasing = Leasing(right: right)
    }

    /// Every node has its turns at moments of its own.
    func begin() {
        let pause = self.process.world.plan.workPause
        guard pause > 0 else { return }
        self.process.after(.nanoseconds(self.process.lots.between(pause / 4, pause * 2))) { [unowned self] in
            self.turn()
            self.begin()
        }
    }

    private func turn() {
        guard case .serving = self.process.standing(), self.process.world.hasWork else { return }
        for _ in 0..<self.process.lots.below(4) where self.leasing.table.count < 8 {
            guard let request = self.process.world.stock.request(&self.process.lots) else { continue }
            self.lastTicket += 1
            let ticket = Leasing.Ticket(self.lastTicket)
            guard case .waits = self.leasing.asked(request, ticket: ticket) else { continue }
            self.tickets[ticket] = .grant
        }
        self.drive()
    }

    func lossesAnnounced(_ count: Int64, _ process: NodeProcess) {
        guard count > 0 else { return }
        self.leasing.lossesAnnounced(count)
        self.drive()
    }

    // MARK: Orders

    private func drive() {
        let next = self.leasing.next(at: self.process.now)
        if let wakeAt = next.wakeAt, wakeAt != self.wokeAt {
            self.wokeAt = wakeAt
            self.process.after(max(.zero, wakeAt.since(self.process.now))) { [unowned self] in
                self.wokeAt = nil
                self.drive()
            }
        }
        guard let order = next.order else { return }
        switch order {
        case .acquire(let requests): self.acquire(requests)
        case .end(let titles): self.end(titles)
        case .read(let subjects):
            self.ask(ReadLeasesStatement(subjects)) { $0.leasing.read($1.records, at: $0.process.now) }
        case .readLosses(let after):
            self.ask(LossesStatement(of: self.right.incarnation.rawValue, after: after)) {
                $0.leasing.lossesRead($1.losses)
            }
        }
    }

    private func ask<Kind: Statement>(
        _ statement: Kind, _ answered: @escaping (Claimer, Kind) -> Leasing.Result
    ) {
        self.process.ask(statement) { [unowned self] result in
            switch result {
            case .success(let statement): self.took(answered(self, statement))
            case .failure(.notRun): self.took(self.leasing.failed(.notRun(""), at: self.process.now))
            case .failure(.mayHaveRun): self.took(self.leasing.failed(.mayHaveRun(""), at: self.process.now))
            case .failure(.refused): self.took(self.leasing.failed(.refused(""), at: self.process.now))
            }
        }
    }

    private func acquire(_ requests: [LeaseRequest]) {
        self.ask(AcquireStatement(requests, self.right)) { claimer, statement in
            claimer.leasing.acquired(statement.answers, at: claimer.process.now)
        }
    }

    private func end(_ titles: [LeaseTitle]) {
        self.ask(EndStatement(titles, self.right)) { claimer, statement in
            let answers = statement.answers(to: titles)
            if answers.contains(false) { claimer.process.stage.coverage.count(.commitFenced) }
            return claimer.leasing.ended(answers, at: claimer.process.now)
        }
    }

    private func took(_ result: Leasing.Result) {
        for reply in result.replies.sorted(by: { $0.ticket.number < $1.ticket.number }) {
            guard let wanted = self.tickets.removeValue(forKey: reply.ticket) else { continue }
            if case .grant = wanted, case .granted(let title) = reply.outcome { self.work(on: title) }
        }
        self.drive()
    }

    // MARK: Work

    private func work(on title: LeaseTitle) {
        let length = Duration.milliseconds(
            self.process.lots.between(20, self.process.lots.chance(100) ? 20_000 : 3_000))
        self.process.after(length) { [unowned self] in self.complete(title) }
    }

    /// The check and the commit are two steps: a pause may come between them.
    private func complete(_ title: LeaseTitle) {
        guard self.process.workingRight() == self.right else {
            return self.process.after(.milliseconds(500)) { [unowned self] in self.complete(title) }
        }
        self.lastTicket += 1
        let ticket = Leasing.Ticket(self.lastTicket)
        guard case .waits = self.leasing.ending(title, ticket: ticket, at: self.process.now) else { return }
        self.tickets[ticket] = .end(title)
        self.drive()
    }

    // MARK: Sweeping

    /// Looks at the deadlines of everybody, and takes away what was watched for its deadline.
    func sweepOverdue() {
        guard self.process.workingRight() != nil else { return }
        self.process.ask(DeadlinesStatement(after: self.overdue.after, limit: OverdueWatch.pageLimit)) {
            [unowned self] result in
            guard case .success(let statement) = result else { return }
            let titles = self.overdue.looked(at: statement.records, now: self.process.now)
            guard !titles.isEmpty else { return }
            self.process.ask(TakeAwayStatement(titles, self.right)) { _ in }
        }
    }
}

/// The work that there is to lease, the same for all nodes.
struct Stock {
    let requests: [LeaseRequest]

    init(nodes: Int) {
        guard let kind = LeaseKind("job"), let order = LeaseKind("order"),
            let limit = LeaseLimit(key: "scarce", slots: 3)
        else {
            self.requests = []
            return
        }
        self.requests = (0..<max(6, nodes * 2)).compactMap { number in
            guard let subject = LeaseSubject(kind: kind, id: "\(number)") else { return nil }
            switch number % 4 {
            case 1:
                return LeaseRequest(
                    subject: subject, orderKey: LeaseSubject(kind: order, id: "\(number % 3)"))
            case 2: return LeaseRequest(subject: subject, limit: limit)
            case 3: return LeaseRequest(subject: subject, deadline: .seconds(2 + number % 7))
            default: return LeaseRequest(subject: subject)
            }
        }
    }

    func request(_ lots: inout SeededRandom) -> LeaseRequest? { lots.pick(self.requests) }
}
