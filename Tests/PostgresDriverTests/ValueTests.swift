import Foundation
import PostgresDriver
import Testing

/// Each value goes to the server and back, and is compared there with its text form.
struct ValueTests {
    private func roundTrip<Value: PostgresEncodable & PostgresDecodable & Equatable & Sendable>(
        _ value: Value, as text: String
    ) async throws {
        try await withConnection { connection in
            let rows = try await connection.query("select \(value) as v, (\(value))::text as t")
            #expect(try rows[0]["v", as: Value.self] == value)
            #expect(try rows[0][1, as: String.self] == text)
        }
    }

    @Test func `integers keep their extremes`() async throws {
        try await self.roundTrip(Int16.min, as: "-32768")
        try await self.roundTrip(Int32.max, as: "2147483647")
        try await self.roundTrip(Int64.min, as: "-9223372036854775808")
        try await self.roundTrip(42, as: "42")
    }

    @Test func `floating point and bool`() async throws {
        try await self.roundTrip(0.1, as: "0.1")
        try await self.roundTrip(-Double.infinity, as: "-Infinity")
        try await self.roundTrip(Float(1.5), as: "1.5")
        try await self.roundTrip(true, as: "true")
        try await self.roundTrip(false, as: "false")
    }

    @Test func `text keeps what looks like SQL and what is not ASCII`() async throws {
        try await self.roundTrip("", as: "")
        try await self.roundTrip("'; drop table x; -- $1", as: "'; drop table x; -- $1")
        try await self.roundTrip("Grüße, 世界 🚢", as: "Grüße, 世界 🚢")
    }

    @Test func `bytes keep zeros and emptiness`() async throws {
        try await self.roundTrip([UInt8]([0, 255, 10]), as: "\\x00ff0a")
        try await self.roundTrip([UInt8](), as: "\\x")
        try await self.roundTrip(Data([1, 2]), as: "\\x0102")
    }

    @Test func `uuid and json`() async throws {
        let text = "0190163d-8694-739b-aea5-966c26f8ad91"
        let uuid = try #require(UUID(uuidString: text))
        try await self.roundTrip(uuid, as: text)
        try await self.roundTrip(PostgresJSON(#"{"a": [1, null]}"#), as: #"{"a": [1, null]}"#)
    }

    @Test func `instants are exact to the microsecond`() async throws {
        try await withConnection { connection in
            let instant = PostgresInstant(microsecondsSince1970: 1_700_000_000_123_456)
            let rows = try await connection.query(
                """
                select \(instant), to_char(\(instant) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
                    'infinity'::timestamptz, '1969-12-31 23:59:59.5+00'::timestamptz
                """)
            let (back, text, infinity, before) = try rows[0].decode(
                PostgresInstant.self, String.self, PostgresInstant.self, Date.self)
            #expect(back == instant)
            #expect(text == "2023-11-14 22:13:20.123456")
            #expect(infinity == .distantFuture)
            #expect(before.timeIntervalSince1970 == -0.5)
        }
    }

    @Test func `arrays of every kind`() async throws {
        try await self.roundTrip([Int64]([1, -2]), as: "{1,-2}")
        try await self.roundTrip([Int32]([7]), as: "{7}")
        try await self.roundTrip([Int16](), as: "{}")
        try await self.roundTrip(["a b", "", "{}"], as: #"{"a b","","{}"}"#)
        try await self.roundTrip([true, false], as: "{t,f}")
        try await self.roundTrip([[UInt8]([1]), []], as: #"{"\\x01","\\x"}"#)
        try await self.roundTrip([Int64?]([1, nil, 3]), as: "{1,NULL,3}")
        try await self.roundTrip([String?]([nil]), as: "{NULL}")
        try await withConnection { connection in
            let ids = [UUID(), UUID()]
            let instants = [PostgresInstant(microsecondsSince1970: 1)]
            let row = try await connection.query(
                "select \(ids), \(instants), \(ids)::text[] = \(ids.map { $0.uuidString.lowercased() })")[0]
            let (backIDs, backInstants, isEqual) = try row.decode(
                [UUID].self, [PostgresInstant].self, Bool.self)
            #expect(backIDs == ids)
            #expect(backInstants == instants)
            #expect(isEqual)
        }
    }

    @Test func `null is nil, and an error where a value is asked for`() async throws {
        try await withConnection { connection in
            let rows = try await connection.query("select \(nil as Int64?) as missing, \("x" as String?)")
            let (none, some) = try rows[0].decode(Int64?.self, String?.self)
            #expect(none == nil)
            #expect(some == "x")
            #expect(throws: PostgresError.unreadable("column 0 (missing): it is NULL")) {
                try rows[0][0, as: Int64.self]
            }
        }
    }

    @Test func `a column is read as what it is or not at all`() async throws {
        try await withConnection { connection in
            let row = try await connection.query("select 70000::int4, 'x'::text, 1.5::numeric, 5::int2")[0]
            #expect(try row[3, as: Int64.self] == 5)
            #expect(throws: PostgresError.self) { try row[0, as: Int16.self] }
            #expect(throws: PostgresError.self) { try row[1, as: Int64.self] }
            #expect(throws: PostgresError.self) { try row[2, as: String.self] }
            #expect(throws: PostgresError.self) { try row[4, as: String.self] }
            #expect(throws: PostgresError.self) { try row.decode(Int64.self) }
        }
    }

    @Test func `parts of statements keep counting parameters`() async throws {
        var statement: PostgresStatement = "select \(1) + \(2)"
        let part: PostgresStatement = ", \("a")::text || \("b")"
        statement.append(part)
        statement.append(", \(unescaped: "'raw'")\(part)")
        #expect(statement.sql == "select $1 + $2, $3::text || $4, 'raw', $5::text || $6")
        try await withConnection { [statement] connection in
            let row = try await connection.query(statement)[0]
            let (sum, one, raw, two) = try row.decode(Int.self, String.self, String.self, String.self)
            #expect(sum == 3)
            #expect([one, raw, two] == ["ab", "raw", "ab"])
        }
    }

    @Test func `what cannot be sent is refused here`() async throws {
        try await withConnection { connection in
            let nul = await failure {
                _ = try await connection.query(PostgresStatement(unescaped: "select 1\0"))
            }
            #expect(nul == .didNotRun(.invalid("SQL cannot contain a NUL character")))
            var many: PostgresStatement = "select 1"
            for number in 0..<65_536 { many.append(", \(number)") }
            let tooMany = await failure { [many] in _ = try await connection.query(many) }
            guard case .didNotRun(.invalid) = tooMany else {
                Issue.record("unexpected: \(String(describing: tooMany))")
                return
            }
        }
    }
}
