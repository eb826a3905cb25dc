import ClusterModel
import ClusterPorts
import Foundation
import PostgresDriver

/// How a member is read from and written to its row.
enum MemberRow {
    /// For a table called `m`.
    static let columns: PostgresStatement = """
        m.slot, m.name, m.incarnation, m.status, m.hb_seq, m.hb_at, m.joined_at, m.up_since, m.host, m.files_port,
        m.admin_port, m.version, m.attributes || m.set_attributes, m.capacity, m.inflight, m.load,
        case when m.status = 'draining' then m.drain_by end, m.drain_reason
        """

    static func member(_ row: PostgresRow, from start: Int) throws(StoreError) -> Member {
        func column<Value: PostgresDecodable>(_ index: Int, _ type: Value.Type) throws(StoreError) -> Value {
            try row.reading(column: start + index, as: type)
        }
        return Member(
            slot: Slot(try column(0, Int16.self)), name: try NodeName(stored: column(1, String.self)),
            incarnation: try Incarnation(stored: column(2, Int64.self)),
            status: try MemberStatus(stored: column(3, String.self)), heartbeats: try column(4, Int64.self),
            lastHeartbeat: try column(5, Date.self), joinedAt: try column(6, Date.self),
            unbrokenSince: try column(7, Date.self),
            addresses: NodeAddresses(
                host: try column(8, String.self), filesPort: try column(9, Int.self),
                adminPort: try column(10, Int.self)),
            version: try column(11, String.self),
            attributes: try Self.attributes(column(12, PostgresJSON.self)),
            capacity: try column(13, Int.self),
            load: LoadSample(inFlight: try column(14, Int.self), load: try column(15, Float.self)),
            drain: try column(16, String?.self).map { (by) throws(StoreError) in
                DrainOrder(by: try DrainOrder.Asker(stored: by), reason: try column(17, String?.self) ?? "")
            })
    }

    static func json(_ attributes: [String: String]) throws(StoreError) -> PostgresJSON {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        do {
            return PostgresJSON(String(decoding: try encoder.encode(attributes), as: UTF8.self))
        } catch {
            throw .refused(sqlState: "22000", message: "the attributes of a node are no text: \(error)")
        }
    }

    private static func attributes(_ json: PostgresJSON) throws(StoreError) -> [String: String] {
        do {
            return try JSONDecoder().decode([String: String].self, from: Data(json.text.utf8))
        } catch {
            throw .corrupt("attributes of a member: \(error)")
        }
    }
}

extension Incarnation {
    init(stored value: Int64) throws(StoreError) {
        guard let incarnation = Incarnation(rawValue: value) else {
            throw .corrupt("\(value) is no incarnation")
        }
        self = incarnation
    }
}

extension NodeName {
    init(stored text: String) throws(StoreError) {
        guard let name = NodeName(text) else { throw .corrupt("“\(text)” is no name of a node") }
        self = name
    }
}

extension RawRepresentable where RawValue == String {
    init(stored text: String) throws(StoreError) {
        guard let value = Self(rawValue: text) else { throw .corrupt("“\(text)” is no \(Self.self)") }
        self = value
    }
}
