import FilesHTTP
import HTTPDoor
import HTTPTypes
import NIOCore
import Testing

@Suite struct ByteRangeTests {
    @Test(
        arguments: [
            ("bytes=0-0", 0..<1), ("bytes=0-99", 0..<100), ("bytes=90-", 90..<100),
            ("bytes=90-1000", 90..<100),
            ("bytes=-1", 99..<100), ("bytes=-1000", 0..<100), ("BYTES = 5-9", 5..<10),
            ("bytes=0-99999999999999999999999", 0..<100),
        ] as [(String, Range<Int64>)])
    func `a single range is resolved`(header: String, expected: Range<Int64>) {
        guard case .one(let range) = ByteRange.parse(header) else {
            Issue.record("\(header) is not one range")
            return
        }
        #expect(range.resolved(size: 100) == expected)
    }

    @Test(arguments: ["bytes=100-", "bytes=100-200", "bytes=-0"])
    func `a range outside the file is not satisfiable`(header: String) {
        guard case .one(let range) = ByteRange.parse(header) else {
            Issue.record("\(header) is not one range")
            return
        }
        #expect(range.resolved(size: 100) == nil)
    }

    @Test(arguments: [
        "bytes", "bytes=", "bytes=a-b", "bytes=9-5", "bytes=-", "bytes=1-2-3", "bytes=1-2,", "bytes=--1",
        "bytes=+1-2",
    ])
    func `a malformed range is told from others`(header: String) {
        #expect(ByteRange.parse(header) == .malformed)
    }

    @Test func `no range, too many and other units ask for the whole file`() {
        #expect(ByteRange.parse(nil) == .whole)
        #expect(ByteRange.parse("pages=1-2") == .whole)
        let many = "bytes=" + (0..<32).map { "\($0)-\($0)" }.joined(separator: ",")
        guard case .several(let ranges) = ByteRange.parse(many) else {
            Issue.record("32 ranges are not several")
            return
        }
        #expect(ranges.count == 32)
        #expect(ByteRange.parse(many + ",99-99") == .whole)
    }

    @Test func `several ranges keep their order, and those outside the file are left out`() throws {
        #expect(try self.outcome([.range: "bytes=50-59, 0-9,-5"]) == .parts([50..<60, 0..<10, 95..<100]))
        #expect(try self.outcome([.range: "bytes=200-300,0-9"]) == .part(0..<10))
        #expect { try self.outcome([.range: "bytes=200-300,-0"]) } throws: {
            ($0 as? Problem)?.kind == .rangeNotSatisfiable
        }
        // Together more than the file.
        #expect(try self.outcome([.range: "bytes=0-59,40-99"]) == .whole)
        #expect(try self.outcome([.range: "bytes=0-49,50-99"]) == .parts([0..<50, 50..<100]))
    }

    @Test func `the parts of several ranges are as long as they say`() {
        let answer = MultipartRanges([0..<3, 7..<9], size: 10, contentType: "text/plain", boundary: "b")
        let file = Array("0123456789".utf8)
        var body = ""
        for part in answer.parts {
            body += part.text.map { String(buffer: $0) } ?? ""
            body += String(
                decoding: file[Int(part.bytes.lowerBound)..<Int(part.bytes.upperBound)], as: UTF8.self)
        }
        #expect(
            body == """
                --b\r
                Content-Type: text/plain\r
                Content-Range: bytes 0-2/10\r
                \r
                012\r
                --b\r
                Content-Type: text/plain\r
                Content-Range: bytes 7-8/10\r
                \r
                78\r
                --b--\r

                """)
        #expect(answer.parts.reduce(0) { $0 + $1.count } == body.utf8.count)
        #expect(answer.contentType == "multipart/byteranges; boundary=b")
    }

    @Test func `nothing of an empty file is satisfiable`() {
        #expect(ByteRange.last(5).resolved(size: 0) == nil)
        #expect(ByteRange.from(0, through: nil).resolved(size: 0) == nil)
    }

    private func outcome(_ headers: HTTPFields, isHead: Bool = false) throws -> ReadConditions.Outcome {
        try ReadConditions(headers, isHead: isHead).outcome(tag: "\"t\"", size: 100)
    }

    @Test func `preconditions are judged in their order`() throws {
        #expect(try self.outcome([:]) == .whole)
        #expect(try self.outcome([.ifNoneMatch: "\"t\""]) == .notModified)
        #expect(try self.outcome([.ifNoneMatch: "W/\"t\", \"x\""]) == .notModified)
        #expect(try self.outcome([.ifNoneMatch: "\"x\"", .range: "bytes=0-9"]) == .part(0..<10))
        #expect(try self.outcome([.ifNoneMatch: "*", .range: "bytes=500-"]) == .notModified)
        #expect(try self.outcome([.ifRange: "\"t\"", .range: "bytes=0-9"]) == .part(0..<10))
        #expect(try self.outcome([.ifRange: "\"x\"", .range: "bytes=0-9"]) == .whole)
        #expect(try self.outcome([.ifRange: "Sun, 06 Nov 1994 08:49:37 GMT", .range: "bytes=0-9"]) == .whole)
        #expect(try self.outcome([.range: "bytes=0-9"], isHead: true) == .whole)
    }

    @Test func `a failed If-Match is 412 and shows the tag`() {
        for value in ["\"x\"", "W/\"t\""] {
            #expect { try self.outcome([.ifMatch: value]) } throws: { error in
                let problem = error as? Problem
                return problem?.status == .preconditionFailed && problem?.headers[.eTag] == "\"t\""
            }
        }
    }

    @Test(arguments: ["t", "\"t", "\"t\" \"u\"", "W/t", ""])
    func `an entity tag without quotes is refused`(value: String) {
        #expect { try self.outcome([.ifMatch: value]) } throws: { ($0 as? Problem)?.kind == .invalidHeader }
    }

    @Test func `unsatisfiable and malformed are both 416 and say the size`() {
        for (range, kind) in [("bytes=100-", ProblemKind.rangeNotSatisfiable), ("bytes=x", .invalidRange)] {
            #expect { try self.outcome([.range: range]) } throws: { error in
                let problem = error as? Problem
                return problem?.kind == kind && problem?.status.code == 416
                    && problem?.headers[.contentRange] == "bytes */100"
            }
        }
    }
}
