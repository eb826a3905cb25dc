import Foundation
import PostgresDriver
import Testing

/// Many values, made by chance, go to the server and back and through its text form.
struct ValueRoundTripTests {
    private static let count = 300

    /// The server must agree with us about the text of each, and hand back the same.
    private func check<Value: PostgresScalar & Hashable & Sendable>(
        _ type: String, _ make: () -> Value, text: ((Value) -> String)? = nil
    ) async throws {
        let values = (0..<Self.count).map { _ in make() }
        let optional: [Value?] = values.map { Bool.random() ? $0 : nil }
        try await withConnection { connection in
            let row = try await connection.query("select \(values), \(optional), \(values)::text[]")[0]
            let (back, optionalBack, texts) = try row.decode([Value].self, [Value?].self, [String].self)
            #expect(back == values, "\(type)[]")
            #expect(optionalBack == optional, "\(type)[] with NULL")
            if let text { #expect(texts == values.map(text), "\(type) as text") }
            // From the server's text to us, one by one.
            let read = try await connection.query(
                "select v::\(unescaped: type) from unnest(\(texts)) with ordinality t(v, n) order by n")
            #expect(try read.map { try $0[0, as: Value.self] } == values, "\(type)")
        }
    }

    private func text(of alphabet: String, upTo length: Int) -> String {
        let characters = Array(alphabet)
        return String((0..<Int.random(in: 0...length)).compactMap { _ in characters.randomElement() })
    }

    @Test func `integers`() async throws {
        try await self.check("int2", { Int16.random(in: .min ... .max) }, text: { "\($0)" })
        try await self.check("int4", { Int32.random(in: .min ... .max) }, text: { "\($0)" })
        try await self.check("int8", { Int64.random(in: .min ... .max) }, text: { "\($0)" })
        try await self.check("int8", { Int.random(in: .min ... .max) }, text: { "\($0)" })
    }

    @Test func `floating point of every exponent, and bool`() async throws {
        try await self.check("float8") { () -> Double in
            let value = Double(bitPattern: .random(in: .min ... .max))
            return value.isNaN ? 0 : value
        }
        try await self.check("float4") { () -> Float in
            let value = Float(bitPattern: .random(in: .min ... .max))
            return value.isNaN ? 0 : value
        }
        try await self.check("bool", { Bool.random() }, text: { $0 ? "true" : "false" })
    }

    @Test func `text, bytes, documents`() async throws {
        try await self.check("text", { self.text(of: "abÄ世🚢'\"\\{},NULL \n", upTo: 20) }, text: { $0 })
        try await self.check("bytea") {
            (0..<Int.random(in: 0...40)).map { _ in UInt8.random(in: .min ... .max) }
        }
        try await self.check("bytea") {
            Data((0..<Int.random(in: 0...40)).map { _ in UInt8.random(in: 0...255) })
        }
        try await self.check("jsonb", { PostgresJSON("{\"n\": \(Int.random(in: 0...9999))}") }, text: \.text)
        try await self.check("uuid", { UUID() }, text: { $0.uuidString.lowercased() })
    }

    @Test func `times`() async throws {
        // From 4713 BC, where the server begins, to the year 200000.
        let range: ClosedRange<Int64> = -211_000_000_000_000_000...6_000_000_000_000_000_000
        try await self.check("timestamptz") { PostgresInstant(microsecondsSince2000: .random(in: range)) }
        try await self.check("timestamp") { PostgresTimestamp(microsecondsSince2000: .random(in: range)) }
        try await self.check("date") { PostgresDate(daysSince2000: .random(in: -2_400_000...70_000_000)) }
        try await withConnection { connection in
            let row = try await connection.query(
                "select '2000-01-02'::date, '2000-01-01 00:00:01'::timestamp, 'infinity'::date")[0]
            let (date, time, infinity) = try row.decode(
                PostgresDate.self, PostgresTimestamp.self, PostgresDate.self)
            #expect(date.daysSince2000 == 1)
            #expect(time.microsecondsSince2000 == 1_000_000)
            #expect(infinity.daysSince2000 == .max)
        }
    }

    @Test func `numbers of any length keep every digit and their scale`() async throws {
        try await self.check(
            "numeric",
            { () -> PostgresNumeric in
                let digits = self.text(of: "0123456789", upTo: 30)
                let fraction = self.text(of: "0001234567890000", upTo: 30)
                let text = (Bool.random() ? "-" : "") + digits + (fraction.isEmpty ? "" : "." + fraction)
                return PostgresNumeric(text) ?? PostgresNumeric(0)
            }, text: \.text)
        for text in [
            "0", "0.00", "10000", "100000000.00010000", "0.0000000012", "NaN", "Infinity", "-Infinity",
        ] {
            let value = try #require(PostgresNumeric(text))
            try await withConnection { connection in
                let row = try await connection.query("select \(value), \(value)::text")[0]
                let (back, seen) = try row.decode(PostgresNumeric.self, String.self)
                #expect(back.text == text && seen == text)
            }
        }
    }

    @Test func `numbers are written in one way`() {
        #expect(PostgresNumeric("+007.50")?.text == "7.50")
        #expect(PostgresNumeric(".5")?.text == "0.5")
        #expect(PostgresNumeric("-0.00")?.text == "0.00")
        #expect(PostgresNumeric("5.")?.text == "5")
        for wrong in ["", "-", ".", "1e5", "1,5", "0x1", " 1", "1.2.3", "nan", "٣"] {
            #expect(PostgresNumeric(wrong) == nil, "\(wrong)")
        }
    }

    @Test func `text results read as text and as nothing else`() async throws {
        try await withConnection { connection in
            let statement: PostgresStatement = "select \(42), interval '1 day', '{1,2}'::int4[], null::int4"
            let row = try await connection.query(statement.withTextResults())[0]
            let (number, interval, array, none) = try row.decode(
                String.self, String.self, String.self, String?.self)
            #expect(number == "42" && interval == "1 day" && array == "{1,2}" && none == nil)
            #expect(throws: PostgresError.self) { try row[0, as: Int.self] }
            // The same SQL, prepared, in binary again.
            let binary = try await connection.query(statement)[0]
            #expect(try binary[0, as: Int.self] == 42)
            #expect(throws: PostgresError.self) { try binary[1, as: String.self] }
            #expect(throws: PostgresError.self) { try binary[2, as: String.self] }
        }
    }

    @Test func `identifiers are quoted, NULL needs no cast`() async throws {
        let name = try PostgresIdentifier("odd \"name\"")
        try await withConnection { connection in
            let missing: Int64? = nil
            let row = try await connection.query("select \(missing) as \(name)")[0]
            #expect(try row["odd \"name\"", as: Int64?.self] == nil)
        }
    }
}
