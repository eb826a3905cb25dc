import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Testing

@Suite struct AccountTests {
    private func key(of account: Account, _ byte: UInt8) throws -> APIKey {
        APIKey(
            id: UUID(), account: account.id, label: "k\(byte)",
            digest: try #require(Digest([UInt8](repeating: byte, count: 32))),
            createdAt: Date(timeIntervalSince1970: 1_700_000_000), expiresAt: nil, enabled: true)
    }

    @Test func `each change raises the version and says what it voids`() async throws {
        try await withTestDatabase { db in
            #expect(try await db.store.changes(after: ConfigVersion(0), limit: 9)?.isEmpty == true)
            let alice = try await db.account("alice")
            let key = try self.key(of: alice, 7)
            try await db.store.addKey(key)
            let change = AccountChange(enabled: false)
            guard case .changed(let changed) = try await db.store.change(alice.name, change, ifRevision: 1)
            else {
                throw NeverHappened(description: "no change")
            }
            #expect(changed.enabled == false)
            #expect(changed.revision == 2)
            #expect(try await db.store.revokeKey(key.id, of: alice.id))
            #expect(try await db.store.revokeKey(key.id, of: alice.id) == false)
            let changes = try #require(try await db.store.changes(after: ConfigVersion(0), limit: 9))
            let account = CacheName(kind: "account", subject: "alice")
            let keyName = CacheName(kind: "key", subject: key.digest.description)
            #expect(changes.map(\.version.rawValue) == [1, 2, 3, 4])
            #expect(changes.map(\.names) == [[account], [keyName], [account, keyName], [keyName]])
            #expect(try await db.store.changes(after: ConfigVersion(5), limit: 9) == nil)
            try await db.sql("delete from flotilla.config_change where version < 3")
            #expect(try await db.store.changes(after: ConfigVersion(1), limit: 9) == nil)
            #expect(
                try await db.store.changes(after: ConfigVersion(2), limit: 1)?.map(\.version.rawValue) == [3])
        }
    }

    @Test func `a change that waited for a new key voids everything`() async throws {
        try await withTestDatabase { db in
            let alice = try await db.account("alice")
            let other = try await db.session()
            async let added = other.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query(
                    "update flotilla.account set key_count = key_count + 1, key_changes = key_changes + 1")
                _ = try await transaction.query(
                    """
                    insert into flotilla.api_key (id, account_id, label, digest, created_at, enabled)
                    values (gen_random_uuid(), \(alice.id.rawValue), 'k', sha256('k'), now(), true)
                    """)
                try await db.waitForLockWaiters(1)
            }
            try await eventually {
                try await db.number(
                    "select count(*) from pg_stat_activity where query like '%into flotilla.api_key (id, account_id, label, digest, created_at, enabled)%'"
                )
                    > 1
            }
            _ = try await db.withOtherNode {
                try await $0.change(alice.name, AccountChange(enabled: false), ifRevision: nil)
            }
            try await added
            await other.close()
            let last = try await db.store.changes(after: ConfigVersion(1), limit: 9)
            #expect(last?.map(\.names) == [[CacheName(kind: "*", subject: "*")]])
        }
    }

    @Test func `reads say their version and writes check the revision`() async throws {
        try await withTestDatabase { db in
            let alice = try await db.account("alice")
            #expect(try await db.store.create(alice) == nil)
            let found = try await db.store.account(named: alice.name)
            #expect(found.value == alice)
            #expect(found.version == ConfigVersion(1))
            let missing = try await db.store.account(named: #require(AccountName("bob")))
            #expect(missing.value == nil)
            let conflict = try await db.store.change(
                alice.name, AccountChange(passwordHash: "h"), ifRevision: 9)
            guard case .conflict(revision: 1) = conflict else {
                throw NeverHappened(description: "\(conflict)")
            }
            guard
                case .unknown = try await db.store.change(
                    #require(AccountName("bob")), AccountChange(), ifRevision: nil)
            else { throw NeverHappened(description: "known") }
            let key = try self.key(of: alice, 3)
            try await db.store.addKey(key)
            #expect(
                try await db.store.key(digest: key.digest).value == KeyAndAccount(key: key, account: alice))
            #expect(try await db.store.keys(of: alice.id) == [key])
            var orphan = key
            orphan.account = AccountID(UUID())
            await #expect(throws: StoreError.self) { try await db.store.addKey(orphan) }
        }
    }

    @Test func `accounts are listed by name page by page`() async throws {
        try await withTestDatabase { db in
            for name in ["b", "a-1", "a.1", "a", "c", "a1"] { _ = try await db.account(name) }
            _ = try await db.store.change(
                #require(AccountName("c")), AccountChange(enabled: false), ifRevision: nil)
            var names: [String] = []
            var last: AccountName?
            while true {
                let page = try await db.store.accounts(after: last, enabled: true, limit: 2)
                guard let end = page.last else { break }
                names += page.map(\.name.description)
                last = end.name
            }
            #expect(names == ["a", "a-1", "a.1", "a1", "b"])
        }
    }

    @Test func `of ten first tokens one is the first and expired ones are unknown`() async throws {
        try await withTestDatabase { db in
            func token(_ byte: UInt8, expires: Date? = nil) throws -> OperatorToken {
                OperatorToken(
                    id: UUID(), label: "t", digest: try #require(Digest([UInt8](repeating: byte, count: 32))),
                    role: .admin, createdAt: Date(timeIntervalSince1970: 1_700_000_000), expiresAt: expires)
            }
            let tokens = try (1...10).map { try token($0) }
            let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
                for token in tokens { group.addTask { try await db.store.addFirstToken(token) } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(wins == 1)
            #expect(try await db.number("select count(*) from flotilla.token") == 1)
            let old = try token(20, expires: Date(timeIntervalSince1970: 1))
            let new = try token(21, expires: Date(timeIntervalSince1970: 4_000_000_000))
            try await db.store.addToken(old)
            try await db.store.addToken(new)
            #expect(try await db.store.token(digest: old.digest).value == nil)
            let found = try await db.store.token(digest: new.digest)
            #expect(found.value == new)
            #expect(found.version == ConfigVersion(3))
        }
    }
}
