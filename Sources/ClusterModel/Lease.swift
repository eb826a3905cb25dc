/// What kind of work a lease is for: 1 to 32 of `a-z 0-9 -`, beginning with a letter.
package struct LeaseKind: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let description: String

    /// Answers nil when the text is no kind.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard (1...32).contains(bytes.count), let first = bytes.first, letters.contains(first),
            bytes.allSatisfy({ letters.contains($0) || digits.contains($0) || $0 == UInt8(ascii: "-") })
        else { return nil }
        self.description = text
    }

    package static func < (left: LeaseKind, right: LeaseKind) -> Bool { left.description < right.description }
}

/// What is leased: one piece of work of a kind.
///
/// At most one lease of a subject exists at a time, in the whole cluster.
package struct LeaseSubject: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let kind: LeaseKind
    /// 1 to 200 bytes of UTF-8 without control characters.
    package let id: String

    /// Answers nil when the id is empty, too long, or has control characters.
    package init?(kind: LeaseKind, id: String) {
        guard LeaseText.isText(id) else { return nil }
        self.kind = kind
        self.id = id
    }

    /// By bytes, as the database sorts: every batch takes its rows in this order.
    package static func < (left: LeaseSubject, right: LeaseSubject) -> Bool {
        if left.kind != right.kind { return left.kind < right.kind }
        return left.id.utf8.lexicographicallyPrecedes(right.id.utf8)
    }

    package var description: String { "\(self.kind)/\(self.id)" }
}

/// Counts grants: one sequence for the cluster, so that a later grant of a subject always has a higher number.
///
/// As stored: timeline of the database · 2^40 + number, as an ``Incarnation`` is; a failover that lost the last
/// numbers issues none of them again.
package struct Epoch: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Always positive.
    package let rawValue: Int64

    /// Answers nil for numbers that no database of ours issues.
    package init?(rawValue: Int64) {
        guard rawValue > 0 else { return nil }
        self.rawValue = rawValue
    }

    package static func < (left: Epoch, right: Epoch) -> Bool { left.rawValue < right.rawValue }
    package var description: String { "\(self.rawValue)" }
}

/// What a holder presents when it commits: together with its live incarnation, the right to.
package struct LeaseTitle: Hashable, Sendable {
    package var subject: LeaseSubject
    package var epoch: Epoch

    package init(subject: LeaseSubject, epoch: Epoch) {
        self.subject = subject
        self.epoch = epoch
    }
}

/// At most `slots` leases that name the same `key` exist at a time, in the whole cluster.
package struct LeaseLimit: Hashable, Sendable {
    /// 1 to 200 bytes of UTF-8 without control characters.
    package let key: String
    /// 1 to 1,000.
    package let slots: Int

    /// Answers nil when the key is no text, or the number of slots is out of range.
    package init?(key: String, slots: Int) {
        guard LeaseText.isText(key), (1...1000).contains(slots) else { return nil }
        self.key = key
        self.slots = slots
    }
}

/// What one asks for.
package struct LeaseRequest: Hashable, Sendable {
    package var subject: LeaseSubject
    /// Leases with the same order key exclude one another; nil excludes nobody.
    package var orderKey: LeaseSubject?
    package var limit: LeaseLimit?
    /// After so long, watched by a sweeper on its own clock, the lease is void although its holder lives; nil for
    /// never.
    ///
    /// From a second to a week.
    package var deadline: Duration?

    package init(
        subject: LeaseSubject, orderKey: LeaseSubject? = nil, limit: LeaseLimit? = nil,
        deadline: Duration? = nil
    ) {
        self.subject = subject
        self.orderKey = orderKey
        self.limit = limit
        self.deadline = deadline
    }
}

/// What came of a request; each request of a batch is answered for itself.
package enum LeaseAnswer: Hashable, Sendable {
    case granted(Epoch)
    /// The subject is leased, or somebody else took it in the same moment.
    case taken
    /// Another lease has the order key.
    case outOfOrder
    /// All slots of the limit are taken.
    case limited
    /// The asking incarnation is dead.
    case fenced

    package var isGranted: Bool {
        if case .granted = self { true } else { false }
    }
}

/// A lease as it stands in the database.
package struct LeaseRecord: Hashable, Sendable {
    package var title: LeaseTitle
    package var slot: Slot
    package var node: NodeName
    package var incarnation: Incarnation
    package var orderKey: LeaseSubject?
    package var limit: LeaseLimit?
    package var deadline: Duration?
    /// Since when, as the database sees it; for people.
    package var age: Duration

    package init(
        title: LeaseTitle, slot: Slot, node: NodeName, incarnation: Incarnation, orderKey: LeaseSubject?,
        limit: LeaseLimit?, deadline: Duration?, age: Duration
    ) {
        self.title = title
        self.slot = slot
        self.node = node
        self.incarnation = incarnation
        self.orderKey = orderKey
        self.limit = limit
        self.deadline = deadline
        self.age = age
    }
}

/// A lease that was taken away from a living holder, by its deadline or by an operator.
package struct LeaseLoss: Hashable, Sendable {
    /// Counts the losses of one incarnation, from 1, without a gap.
    package var number: Int64
    package var title: LeaseTitle

    package init(number: Int64, title: LeaseTitle) {
        self.number = number
        self.title = title
    }
}

/// What ids and limit keys have in common.
enum LeaseText {
    static func isText(_ text: String) -> Bool {
        (1...200).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
    }
}
