/// What can go wrong; `--faults` takes these names.
package enum FaultKind: String, Sendable, CaseIterable, Hashable {
    case kill
    case power
    case renamePower = "rename-power"
    case pause
    case stepPause = "step-pause"
    case commitPause = "commit-pause"
    case rival
    case storm
    case leave
    case down
    case cut
    case cutRequests = "cut-requests"
    case cutAnswers = "cut-answers"
    case slow
    case restart
    case crash
    case outage
    case backend
    case clock
    case hang
    case stall
    case mountHang = "mount-hang"
    case mountError = "mount-error"
    case renameLies = "rename-lies"
    case skew
    case force
    case failover
    case upgrade

    package var words: String {
        switch self {
        case .kill: "a process is killed"
        case .power: "the machine of one node loses power"
        case .renamePower: "the machine with the mount and all nodes loses power just after a rename"
        case .pause: "a process is paused"
        case .stepPause: "a process is paused just before one of its steps"
        case .commitPause: "a process is paused between the look at its standing and the commit"
        case .rival: "a second node is started under the same name"
        case .storm: "many processes are killed at once"
        case .leave: "a node is stopped"
        case .down: "a process is killed and nobody starts it again"
        case .cut: "the way to the database is cut"
        case .cutRequests: "nothing gets to the database"
        case .cutAnswers: "nothing comes back from the database"
        case .slow: "the way to the database is slow"
        case .restart: "the database is restarted"
        case .crash: "the database crashes, with the heartbeats that were not synced"
        case .outage: "the database is gone"
        case .backend: "a backend of the database is ended"
        case .clock: "the database's clock is set"
        case .stall: "a commit stalls in the server, and perhaps its client dies or is paused"
        case .hang: "the database's statements hang"
        case .mountHang: "the mount hangs"
        case .mountError: "the mount answers with errors"
        case .renameLies: "a rename is done and answered with an error"
        case .skew: "the nodes' clocks run at other rates"
        case .force: "an operator takes a lease away"
        case .failover: "the database fails over to a replica that lacks the newest commits"
        case .upgrade: "a node is started again with the next version of the program"
        }
    }
}

/// One thing that goes wrong at a moment.
package struct Fault: Sendable, Equatable {
    package var kind: FaultKind
    /// Nanoseconds since the start of the run.
    package var at: Int64
    package var host = 0
    /// Nanoseconds; 0 where it takes no time.
    package var length: Int64 = 0
    /// Steps for a pause at a step; milliseconds for a clock, and of commits that a failover loses; for a stall 1 kills and 2 pauses the client,
    /// and 3 is for a death.
    package var amount: Int64 = 0
}
