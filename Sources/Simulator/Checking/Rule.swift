/// What must always hold; docs/COORDINATION.md has the sentences.
package enum Invariant: String, Sendable, CaseIterable {
    case m1 = "M1"
    case m2 = "M2"
    case m3 = "M3"
    case m4 = "M4"
    case m5 = "M5"
    case m6 = "M6"
    case l1 = "L1"
    case l2 = "L2"
    case l3 = "L3"
    case l4 = "L4"
    case l5 = "L5"
    case l6 = "L6"
    case l7 = "L7"
    case f1 = "F1"
    case f2 = "F2"
    case f3 = "F3"
    case f4 = "F4"
    case f5 = "F5"
    case d1 = "D1"
    case d2 = "D2"
    case d3 = "D3"
    case d4 = "D4"
    case v1 = "V1"

    package var sentence: String {
        switch self {
        case .m1: "incarnations rise and are unique"
        case .m2: "dead stays dead"
        case .m3: "one view per version"
        case .m4:
            "no accusation on a broken chain, of a moving heartbeat, or of a node that nothing was done to"
        case .m5: "one leader per term, and no write by an old one"
        case .m6: "a crashed node is dead in bounded time once faults stop"
        case .l1: "a subject has one holder, and a job is in one place"
        case .l2: "epochs rise"
        case .l3: "at most one completion is accepted"
        case .l4: "a commit needs the current epoch and a live incarnation"
        case .l5: "limits and order hold"
        case .l6: "no acknowledged work is lost, and none is invented"
        case .l7: "everything ends once faults stop"
        case .f1: "a visible file is a whole one whose digest was decided"
        case .f2: "files appear in the order of their decisions"
        case .f3: "acknowledged means durable"
        case .f4: "staging is referenced or reclaimed, never both"
        case .f5: "no byte of a fenced writer becomes visible"
        case .d1: "nobody waits longer than the fairness bound while others are served"
        case .d2: "capacities hold"
        case .d3: "a shard has one owner for each epoch, and only the newest writes"
        case .d4: "nothing that Redis says, or fails to say, changes an outcome"
        case .v1: "no program joins a schema that it cannot read"
        }
    }
}

package struct Violation: Sendable, Equatable {
    package var invariant: Invariant
    package var reason: String
    /// Nanoseconds since the start of the run.
    package var at: Int64
}
