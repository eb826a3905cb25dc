import ClusterModel
import ClusterPorts
import PostgresDriver

/// How a lease is read from its row.
enum LeaseRow {
    /// For a table called `l`, with `m` and `d` joined by ``holder``.
    static let columns: PostgresStatement = """
        l.kind, l.id, l.epoch, l.slot, coalesce(m.name, d.name, 'worker-' || l.slot), l.incarnation, l.order_kind,
        l.order_id, l.limit_key, l.limit_slots, l.deadline_ms,
        (extract(epoch from clock_timestamp() - l.acquired_at) * 1000)::int8
        """

    /// The holder's row is there while it lives, and for a while after its death.
    static let holder: PostgresStatement = """
        left join flotilla.member m on m.incarnation = l.incarnation
        left join flotilla.departed d on d.incarnation = l.incarnation
        """

    static func records(_ rows: PostgresRows) throws(StoreError) -> [LeaseRecord] {
        var records: [LeaseRecord] = []
        for row in rows { records.append(try Self.record(row)) }
        return records
    }

    private static func record(_ row: PostgresRow) throws(StoreError) -> LeaseRecord {
        let (kind, id, epoch, slot, node, incarnation, orderKind, orderID, limit, slots, deadline, age) =
            try row.reading(
                String.self, String.self, Int64.self, Int16.self, String.self, Int64.self, String?.self,
                String?.self, String?.self, Int16?.self, Int64?.self, Int64.self)
        return LeaseRecord(
            title: try Self.title(kind, id, epoch), slot: Slot(slot), node: try NodeName(stored: node),
            incarnation: try Incarnation(stored: incarnation),
            orderKey: try Self.orderKey(orderKind, orderID), limit: try Self.limit(limit, slots),
            deadline: deadline.map { .milliseconds($0) }, age: .milliseconds(max(0, age)))
    }

    static func title(_ kind: String, _ id: String, _ epoch: Int64) throws(StoreError) -> LeaseTitle {
        guard let number = Epoch(rawValue: epoch) else { throw .corrupt("\(epoch) is no epoch") }
        return LeaseTitle(subject: try Self.subject(kind, id), epoch: number)
    }

    private static func subject(_ kind: String, _ id: String) throws(StoreError) -> LeaseSubject {
        guard let kind = LeaseKind(kind), let subject = LeaseSubject(kind: kind, id: id) else {
            throw .corrupt("“\(kind)/\(id)” is no subject of a lease")
        }
        return subject
    }

    private static func orderKey(_ kind: String?, _ id: String?) throws(StoreError) -> LeaseSubject? {
        guard let kind, let id else { return nil }
        return try Self.subject(kind, id)
    }

    private static func limit(_ key: String?, _ slots: Int16?) throws(StoreError) -> LeaseLimit? {
        guard let key, let slots else { return nil }
        guard let limit = LeaseLimit(key: key, slots: Int(slots)) else {
            throw .corrupt("“\(key)” with \(slots) slots is no limit of leases")
        }
        return limit
    }
}
