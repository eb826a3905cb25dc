import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

func subject(_ id: String, _ kind: String = "job") throws -> LeaseSubject {
    try #require(LeaseKind(kind).flatMap { LeaseSubject(kind: $0, id: id) })
}

func request(
    _ id: String, order: String? = nil, limit: String? = nil, slots: Int = 1, deadline: Duration? = nil
) throws -> LeaseRequest {
    LeaseRequest(
        subject: try subject(id), orderKey: try order.map { try subject($0, "queue") },
        limit: try limit.map { try #require(LeaseLimit(key: $0, slots: slots)) }, deadline: deadline)
}

extension LeaseAnswer {
    var epoch: Epoch? {
        if case .granted(let epoch) = self { epoch } else { nil }
    }
}

extension TestDatabase {
    func lease(_ request: LeaseRequest, by node: JoinedNode) async throws -> LeaseTitle {
        let answer = try #require(try await self.store.acquire([request], by: node.right).first)
        return LeaseTitle(subject: request.subject, epoch: try #require(answer.epoch, "\(answer)"))
    }

    /// Declares the node dead as the others do after the slow window.
    func bury(_ node: JoinedNode, by accuser: JoinedNode) async throws {
        try await self.trust(accuser)
        try await self.silence(node, milliseconds: 9_000)
        let heartbeats = try await self.number(
            "select hb_seq from flotilla.member where incarnation = \(node.right.incarnation.rawValue)")
        let accusation = accuser.accusation(of: node, heartbeats: Int64(heartbeats), watched: .seconds(9))
        #expect(try await self.store.accuse(accusation))
    }

    /// Holds every statement that touches a lease with one of these ids, until the body returns.
    ///
    /// It stands still in the middle: the rows before this one are written, and all locks so far are held.
    ///
    /// - Parameter node: only statements about leases of this one; everybody's if nil.
    func holding<Answer: Sendable>(
        _ change: String, of ids: [String], by node: JoinedNode? = nil,
        _ body: (PostgresTransaction) async throws -> Answer
    ) async throws -> Answer {
        try await self.sql(
            """
            create function flotilla.hold() returns trigger language plpgsql as $$
            begin
                if coalesce(old.id, new.id) = any ('{\(unescaped: ids.joined(separator: ","))}')
                   and coalesce(old.incarnation, new.incarnation) = coalesce(
                       \(unescaped: node.map { "\($0.right.incarnation.rawValue)" } ?? "null"),
                       old.incarnation, new.incarnation) then
                    perform pg_advisory_xact_lock_shared(77, 1);
                end if;
                return coalesce(new, old);
            end $$
            """)
        try await self.sql(
            """
            create trigger hold before \(unescaped: change) on flotilla.lease
            for each row execute function flotilla.hold()
            """)
        let session = try await self.session()
        let answer = try await session.transaction(deadline: .seconds(20)) { transaction in
            _ = try await transaction.query("select pg_advisory_xact_lock(77, 1)")
            return try await body(transaction)
        }
        await session.close()
        try await self.sql("drop function flotilla.hold() cascade")
        return answer
    }
}
