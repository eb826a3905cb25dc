package import ClusterModel

extension Leasing {
    /// Names somebody who waits for a reply; never used twice.
    package struct Ticket: Hashable, Sendable, CustomStringConvertible {
        package let number: UInt64
        package init(_ number: UInt64) { self.number = number }
        package var description: String { "\(self.number)" }
    }

    /// One statement of the store.
    package enum Order: Sendable, Equatable {
        case acquire([LeaseRequest])
        case end([LeaseTitle])
        /// What stands of these subjects: an answer was lost (R2).
        case read([LeaseSubject])
        /// What was taken away from this incarnation after this number.
        case readLosses(after: Int64)
    }

    /// Why a statement failed.
    package enum Failure: Sendable, Hashable {
        /// Nothing was done.
        case notRun(String)
        /// Nobody knows.
        case mayHaveRun(String)
        /// Nothing was done: it waited for somebody who waited for it (`40P01`).
        case circle
        /// Nothing was done, and the same fails again.
        case refused(String)
    }

    package struct Reply: Sendable, Equatable {
        package var ticket: Ticket
        package var outcome: Outcome

        package init(ticket: Ticket, outcome: Outcome) {
            self.ticket = ticket
            self.outcome = outcome
        }
    }

    package enum Outcome: Sendable, Hashable {
        case granted(LeaseTitle)
        /// Not granted, and why; never ``LeaseAnswer/granted(_:)``.
        case denied(LeaseAnswer)
        /// True: the right held until the very statement. False: it was lost before.
        case ended(Bool)
        /// The answer was lost, and nothing is there: of an acquire, nothing was granted so far, and what still turns
        /// up is given back; of an end, it is gone, by this end or before it.
        case unknown
        case failed(Failure)
        /// The node ends what it holds and asks for nothing any more.
        case stopping
    }

    /// What came of an answer.
    package struct Result: Sendable, Equatable {
        package var replies: [Reply] = []
        /// Leases that this node held until it read this.
        package var lost: [LeaseTitle] = []

        package init(replies: [Reply] = [], lost: [LeaseTitle] = []) {
            self.replies = replies
            self.lost = lost
        }
    }

    package struct Limits: Sendable, Equatable {
        /// Requests that wait.
        package var waiting = 10_000
        /// Leases that one node holds.
        package var held = 2_000_000
        /// Of one statement; the store takes no more than 1,000.
        package var batch = 500
        /// How often one request is tried that the database answers with a circle.
        package var attempts = 3
        /// How long somebody waits for an end that the database does not answer; the end itself goes on.
        package var patience: Duration = .seconds(5)
        /// Longer than any statement runs on the server: a lost grant may turn up until then.
        package var lateness: Duration = .seconds(30)
        /// Between two attempts when the database does not answer; doubles from the first to the second.
        package var pauseMin: Duration = .milliseconds(50)
        package var pauseMax: Duration = .seconds(2)

        package static let standard = Limits()
        package init() {}
    }

    struct Asked: Sendable, Equatable {
        var ticket: Ticket
        var request: LeaseRequest
        var attempts = 0
    }

    struct Ending: Sendable, Equatable {
        var title: LeaseTitle
        /// Nil when nobody waits for the answer, or not any more.
        var ticket: Ticket?
        var since: ClusterInstant
        var attempts = 0
        /// An answer was lost: a statement of before may have done it.
        var isDoubtful = false
    }

    /// A request whose answer was lost.
    struct GrantDoubt: Sendable, Equatable {
        /// Nil once it was told; from then on what turns up is given back.
        var asked: Asked?
        var leftAt: ClusterInstant
        var lostAt: ClusterInstant
    }

    enum InFlight: Sendable, Equatable {
        case acquire([Asked], leftAt: ClusterInstant)
        case end([Ending])
        case read([LeaseSubject])
        case readLosses
    }
}
