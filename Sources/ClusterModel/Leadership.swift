/// Who leads, as the cluster's row has it: one incarnation for each term.
///
/// It leads while that incarnation lives; the row may name one that is dead, until somebody else takes the lead.
package struct Leadership: Hashable, Sendable {
    package var slot: Slot
    package var incarnation: Incarnation
    /// Rises by one each time the lead is taken; 1 for the first.
    package var term: Int64

    package init(slot: Slot, incarnation: Incarnation, term: Int64) {
        self.slot = slot
        self.incarnation = incarnation
        self.term = term
    }
}

/// What a leader presents when it writes: the statement checks that the incarnation lives and has this term.
package struct LeaderRight: Hashable, Sendable {
    package var right: NodeRight
    package var term: Int64

    package init(right: NodeRight, term: Int64) {
        self.right = right
        self.term = term
    }
}

/// The order to take the lead, if nobody has taken it since `term` and whoever had it is dead.
package struct LeadClaim: Hashable, Sendable {
    package var right: NodeRight
    /// The last known one; 0 when nobody has led yet.
    package var term: Int64

    package init(right: NodeRight, term: Int64) {
        self.right = right
        self.term = term
    }
}
