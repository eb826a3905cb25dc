import AdminHTTP
import ClusterModel
import ClusterPorts
import Foundation
import HTTPDoor
import NIOCore
import Testing

@Suite struct FilterTests {
    private func items(_ query: String) throws -> [RequestTarget.QueryItem] {
        try RequestTarget("/x?\(query)").query
    }

    private func fault(_ query: String) -> Problem? {
        do {
            _ = try TransferFilters.query(try self.items(query))
            return nil
        } catch { return error as? Problem }
    }

    @Test func `every filter of the transfer log reaches the store`() throws {
        let digest = String(repeating: "ab", count: 32)
        let (query, _) = try TransferFilters.query(
            try self.items(
                "account=alice&kind=upload&status=failed&node=w-1&protocol=http&sha256=\(digest)"
                    + "&path=/a/b&below=/a"
                    + "&started_from=2026-01-01T00:00:00Z&started_before=2026-01-02T00:00:00Z"
                    + "&ended_from=2026-01-03T00:00:00Z&ended_before=2026-01-04T00:00:00Z"
                    + "&size_from=5&size_to=9&sort=-size&limit=7"))
        var expected = TransferQuery()
        expected.account = AccountName("alice")
        expected.kind = .upload
        expected.status = .failed
        expected.node = NodeName("w-1")
        expected.protocol = "http"
        expected.digest = Digest(hex: digest)
        expected.path = try HomePath(bytes: Array("a/b".utf8))
        expected.below = try HomePath(bytes: Array("a".utf8))
        expected.startedFrom = Timestamp.date("2026-01-01T00:00:00Z")
        expected.startedBefore = Timestamp.date("2026-01-02T00:00:00Z")
        expected.endedFrom = Timestamp.date("2026-01-03T00:00:00Z")
        expected.endedBefore = Timestamp.date("2026-01-04T00:00:00Z")
        expected.sizeFrom = 5
        expected.sizeTo = 9
        expected.sort = .size
        expected.descending = true
        expected.limit = 7
        #expect(query == expected)
    }

    @Test(arguments: [
        "account=Alice", "kind=put", "status=done", "node=W", "sha256=ab", "path=/a/../b", "below=/a//b",
        "started_from=now", "started_from=2026-02-30T00:00:00Z", "started_from=2026-01-01T25:00:00Z",
        "ended_before=99999-01-01T00:00:00Z", "protocol=a%00b",
        "size_from=-1", "size_to=many", "sort=path", "limit=0", "limit=1001", "cursor=xyz",
        "account=a&account=b",
    ])
    func `a bad value is refused with its name and value`(query: String) throws {
        let problem = try #require(self.fault(query))
        #expect(problem.kind == .invalidParameter)
        #expect(problem.fields["parameter"] == query.split(separator: "=").first.map(String.init))
    }

    @Test func `an unknown filter is refused by name`() throws {
        let problem = try #require(self.fault("acount=alice"))
        #expect(problem.kind == .unknownParameter && problem.fields["parameter"] == "acount")
    }

    @Test func `a cursor works only in its own list`() throws {
        let position = TransferQuery.Position(value: 5, id: UUID())
        let (_, list) = try TransferFilters.query(try self.items("account=alice&sort=size&limit=3"))
        let cursor = PageCursor.text(position, of: list)
        let (next, _) = try TransferFilters.query(
            try self.items("account=alice&sort=size&limit=9&cursor=\(cursor)"))
        #expect(next.after == position)
        #expect(self.fault("account=bob&sort=size&cursor=\(cursor)")?.fields["parameter"] == "cursor")
        #expect(self.fault("account=alice&sort=-size&cursor=\(cursor)")?.fields["parameter"] == "cursor")
        #expect(self.fault("cursor=\(cursor)")?.fields["parameter"] == "cursor")
    }

    @Test(arguments: [Int64.max, .min, 1_000_000_000_000_000_000])
    func `a forged cursor's time is refused before the database sees it`(value: Int64) throws {
        let (_, list) = try TransferFilters.query(try self.items("sort=started"))
        let cursor = PageCursor.text(TransferQuery.Position(value: value, id: UUID()), of: list)
        #expect(self.fault("sort=started&cursor=\(cursor)")?.fields["parameter"] == "cursor")
    }

    private func member(_ slot: Int16, _ name: String, _ status: MemberStatus) throws -> Member {
        Member(
            slot: Slot(slot), name: try #require(NodeName(name)),
            incarnation: try #require(Incarnation(rawValue: Int64(slot) + 100)), status: status,
            heartbeats: 1,
            lastHeartbeat: .now, joinedAt: .now, unbrokenSince: .now,
            addresses: NodeAddresses(host: "h", filesPort: 1, adminPort: 2), version: "1", attributes: [:],
            capacity: 1, load: .idle)
    }

    @Test func `nodes are filtered, sorted and paged`() throws {
        let members = try (1...25).map { number in
            try self.member(Int16(number), "n\(25 - number)", number % 5 == 0 ? .dead : .active)
        }
        var seen: [Int] = []
        var cursor: String?
        repeat {
            let query = "status=active&sort=-slot&limit=6" + (cursor.map { "&cursor=\($0)" } ?? "")
            let page = try NodeFilters(try self.items(query)).page(members)
            #expect(page.members.count <= 6)
            seen += page.members.map { Int($0.slot.rawValue) }
            cursor = page.next
        } while cursor != nil
        #expect(seen == (1...25).reversed().filter { $0 % 5 != 0 })
        let byName = try NodeFilters(try self.items("sort=name")).page(members)
        #expect(byName.members.map(\.name) == members.map(\.name).sorted())
        #expect(byName.next == nil)
        #expect(try NodeFilters(try self.items("name=n3")).page(members).members.map(\.slot) == [Slot(22)])
        #expect { try NodeFilters(try self.items("state=dead")) } throws: {
            ($0 as? Problem)?.fields["parameter"] == "state"
        }
    }

    @Test func `a body's unknown and wrong fields are named`() throws {
        func fault(_ body: String) -> Problem? {
            do {
                _ = try AccountCreation(Array(body.utf8))
                return nil
            } catch { return error }
        }
        #expect(fault(#"{"name":"a","password":"p","adopt":true}"#) == nil)
        #expect(fault(#"{"name":"a","pasword":"p"}"#)?.fields["field"] == "pasword")
        #expect(fault(#"{"name":5}"#)?.kind == .invalidField)
        #expect(fault(#"{}"#)?.fields["field"] == "name")
        #expect(fault(#"{"name":"a","adopt":"yes"}"#)?.fields["field"] == "adopt")
        #expect(fault(#"{"name":"a","password":null}"#)?.fields["field"] == "password")
        #expect(fault("[]")?.kind == .invalidBody)
        #expect(fault("{")?.kind == .invalidBody)
        #expect(fault("")?.kind == .invalidBody)
        #expect(throws: Problem.self) { try AccountPatch(Array("{}".utf8), ifMatch: nil) }
        #expect(try AccountPatch(Array(#"{"enabled":false}"#.utf8), ifMatch: "\"7\"").revision == 7)
        #expect(throws: Problem.self) { try AccountPatch(Array(#"{"enabled":false}"#.utf8), ifMatch: "7") }
    }

    @Test func `an account's answer has nothing secret in it`() throws {
        let account = Account(
            id: AccountID(UUID()), name: try #require(AccountName("alice")), enabled: true,
            passwordHash: "scrypt$1$8$1$salt$hash", createdAt: .now, changedAt: .now, revision: 3)
        let text = String(buffer: JSONText.buffer(AccountAnswer(account)))
        #expect(text.contains(#""has_password":true"#))
        #expect(!text.contains("scrypt"))
        let digest = try #require(Digest(hex: String(repeating: "ab", count: 32)))
        let key = APIKey(
            id: UUID(), account: account.id, label: "l", digest: digest, createdAt: .now, expiresAt: nil,
            enabled: true)
        #expect(!String(buffer: JSONText.buffer(KeyAnswer(key))).contains("abab"))
    }
}
