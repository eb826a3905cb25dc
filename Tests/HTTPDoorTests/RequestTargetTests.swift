import HTTPDoor
import Testing

@Suite struct RequestTargetTests {
    private func texts(_ target: String) throws -> [String] {
        try RequestTarget(target).components.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `components are decoded and nothing is normalised`() throws {
        #expect(try self.texts("/files/a%20b/%2e%2e/c") == ["files", "a b", "..", "c"])
        #expect(try self.texts("/files//x") == ["files", "", "x"])
        #expect(try self.texts("/") == [])
        #expect(try self.texts("//") == [""])
    }

    @Test func `bytes that are not UTF-8 survive`() throws {
        #expect(try RequestTarget("/files/%ff%00").components.last == [0xFF, 0])
    }

    @Test func `a trailing slash is remembered`() throws {
        #expect(try RequestTarget("/files/a/").endsWithSlash)
        #expect(try RequestTarget("/files/a/").components.count == 2)
        #expect(try !RequestTarget("/files/a").endsWithSlash)
    }

    @Test(arguments: [
        "/files/%", "/files/%2", "/files/%zz", "/files/a%2Fb", "/files/a#b", "files/a", "/files/\u{FFFD}",
    ])
    func `a malformed path is refused`(target: String) {
        #expect { try RequestTarget(target) } throws: { ($0 as? Problem)?.kind == .malformedPath }
    }

    @Test func `query items are decoded and a plus sign stays one`() throws {
        let target = try RequestTarget("/x?a=1%202&b=2+3&c&d=e=f")
        #expect(target.query.map(\.name) == ["a", "b", "c", "d"])
        #expect(target.query.map(\.value) == ["1 2", "2+3", "", "e=f"])
    }

    @Test func `encoding and decoding are inverse`() {
        let bytes = (0...255).map(UInt8.init)
        #expect(PercentCoding.decode(Array(PercentCoding.encode(bytes).utf8)) == bytes)
    }

    @Test func `an unknown parameter is named`() throws {
        var reader = try QueryReader(try RequestTarget("/x?recursive=true&recursiv=1").query)
        #expect(try reader.flag("recursive") == true)
        #expect { try reader.finish() } throws: { error in
            let problem = error as? Problem
            return problem?.kind == .unknownParameter && problem?.fields["parameter"] == "recursiv"
        }
    }

    @Test func `a parameter given twice is refused`() throws {
        let items = try RequestTarget("/x?a=1&a=2").query
        #expect { try QueryReader(items) } throws: { ($0 as? Problem)?.kind == .invalidParameter }
    }

    @Test(arguments: ["0", "11", "-1", "+5", "1.5", "", "five"])
    func `a number outside of its bounds is refused`(text: String) throws {
        var reader = try QueryReader([.init(name: "limit", value: text)])
        #expect { try reader.number("limit", in: 1...10) } throws: {
            ($0 as? Problem)?.fields["value"] == text
        }
    }

    @Test func `base64url goes both ways and refuses the other alphabet`() {
        for count in 0..<9 {
            let bytes = (0..<count).map { UInt8(250 + $0 % 6) }
            #expect(Base64URL.bytes(Base64URL.text(bytes)) == bytes)
        }
        #expect(Base64URL.bytes("a+b/") == nil)
        #expect(Base64URL.bytes("!") == nil)
    }

    @Test func `times have milliseconds and are read with or without`() {
        let date = Timestamp.date("2026-01-31T12:00:00.250Z")
        #expect(date.map(Timestamp.text) == "2026-01-31T12:00:00.250Z")
        #expect(Timestamp.date("2026-01-31T12:00:00Z").map(Timestamp.text) == "2026-01-31T12:00:00.000Z")
        #expect(Timestamp.date("2026-01-31T13:00:00+01:00") == Timestamp.date("2026-01-31T12:00:00Z"))
        #expect(Timestamp.date("yesterday") == nil)
    }
}
