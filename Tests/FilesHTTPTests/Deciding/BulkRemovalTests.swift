import ClusterModel
import ClusterPorts
import FilesHTTP
import HTTPDoor
import Testing

/// What a bulk removal asks for, and where a listing goes on.
@Suite struct BulkRemovalTests {
    private func read(_ json: String, below folder: String = "") throws -> BulkRemoval {
        try BulkRemoval(json: Array(json.utf8), below: HomePath(bytes: Array(folder.utf8)))
    }

    private func kind(_ json: String) -> ProblemKind? {
        do {
            _ = try self.read(json)
            return nil
        } catch { return (error as? Problem)?.kind }
    }

    private func shown(_ item: BulkRemoval.Item) -> String? {
        switch item.path {
        case .success(let path): path.description
        case .failure: nil
        }
    }

    @Test func `paths are texts or objects, below the folder that was addressed`() throws {
        let json = #"""
            {"recursive": true, "paths": ["a", "/b/", {"path": "c", "if_match": "\"x\""}, {"path_base64": "/w=="}]}
            """#
        let asked = try self.read(json, below: "in")
        #expect(asked.recursive)
        #expect(asked.items.map { self.shown($0) } == ["/in/a", "/in/b", "/in/c", "/in/\u{FFFD}"])
        #expect(asked.items.map(\.mustBeFolder) == [false, true, false, false])
        #expect(asked.items[2].ifMatch == "\"x\"")
    }

    @Test func `what is not understood is named`() {
        #expect(self.kind("[]") == .invalidBody)
        #expect(self.kind("{}") == .invalidField)
        #expect(self.kind(#"{"paths": ["a"], "force": true}"#) == .unknownField)
        #expect(self.kind(#"{"paths": [{"path": "a", "pathBase64": "b"}]}"#) == .unknownField)
        #expect(self.kind(#"{"paths": [{"path": "a", "path_base64": "YQ=="}]}"#) == .invalidField)
        #expect(self.kind(#"{"paths": [{"path": "a", "if_match": "x"}]}"#) == .invalidField)
        #expect(self.kind(#"{"paths": [7]}"#) == .invalidBody)
        let many = Array(repeating: "\"a\"", count: 1_001).joined(separator: ",")
        #expect(self.kind("{\"paths\": [\(many)]}") == .invalidField)
    }

    @Test func `a path that is none is refused alone`() throws {
        let asked = try self.read(#"{"paths": ["a/../b", "ok", "a//b"]}"#)
        #expect(asked.items.map { self.shown($0) } == [nil, "/ok", nil])
        #expect(asked.groups == [[1]])
    }

    @Test func `what lies in a folder that is listed too goes first`() throws {
        let asked = try self.read(#"{"paths": ["a", "a/b", "ab", "a/b/c", "a-", "x"]}"#)
        #expect(asked.groups == [[3, 4, 2, 5], [1], [0]])
        // The same path twice: one after the other.
        #expect(try self.read(#"{"paths": ["a", "a"]}"#).groups.count == 2)
    }

    @Test func `a cursor keeps name and walk, and the older form is understood`() throws {
        let cursor = ListingCursor(name: [0xFF, 0x41], walk: ListingWalk(number: 0xFEDC_BA98_7654_3210))
        #expect(ListingCursor(cursor.text) == cursor)
        let old = ListingCursor(name: Array("name".utf8), walk: nil)
        #expect(ListingCursor(old.text) == old)
        for bad in ["", "!", "AA", ListingCursor(name: [], walk: ListingWalk(number: 1)).text, "YQAB"] {
            #expect(ListingCursor(bad) == nil, "\(bad)")
        }
    }
}
