import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import Testing

struct AccessTests {
    /// A node's door: its heartbeat knows what the database says now.
    private struct Door {
        let cluster: TestCluster
        let standing: FixedStanding
        let keeper: Gatekeeper
        let desk: AccountDesk

        init(_ cluster: TestCluster, cache: (any ViewCache)?, scrypt: ScryptPool = ScryptPool()) async throws
        {
            self.cluster = cluster
            self.standing = FixedStanding(
                try Samples.right(), at: try await cluster.store.facts().configVersion)
            self.keeper = Gatekeeper(
                store: cluster.store, cache: cache, standing: self.standing,
                cacheKey: [UInt8](repeating: 7, count: 32),
                logger: TestCluster.logger, scrypt: scrypt)
            self.desk = AccountDesk(
                store: cluster.store, vault: cluster.vault, standing: self.standing, scrypt: scrypt)
        }

        /// The next heartbeat is answered.
        func beat() async throws {
            let version = try await self.cluster.store.facts().configVersion
            self.standing.set(.serving(try Samples.right(), version))
        }

        func opens(_ name: String, _ password: String) async throws -> Bool {
            do {
                return try await self.keeper.account(name: name, password: password).name.description == name
            } catch .denied {
                return false
            }
        }

        func opens(session: String, after seconds: Double = 0) async throws -> Bool {
            do {
                _ = try await self.keeper.account(session: session, now: Date().addingTimeInterval(seconds))
                return true
            } catch .denied {
                return false
            }
        }

        func opens(key: String) async throws -> Bool {
            do {
                _ = try await self.keeper.account(key: key)
                return true
            } catch .denied {
                return false
            }
        }
    }

    @Test(arguments: [LyingCache.Manner?.none, .honest, .replaysOldest, .ignoresVersions])
    func `a change of an account is live at the next heartbeat, whatever the shared cache says`(
        manner: LyingCache.Manner?
    ) async throws {
        try await TestCluster.with { cluster in
            let cache = manner.map { LyingCache($0) }
            let (here, there) = (
                try await Door(cluster, cache: cache), try await Door(cluster, cache: cache)
            )
            _ = try await here.desk.create(name: "alice", password: "first password", adopting: false)
            try await here.beat()
            try await there.beat()
            for door in [here, there, here, there] {
                #expect(try await door.opens("alice", "first password"))
                #expect(try await !door.opens("alice", "other password"))
            }
            _ = try await there.desk.change(
                name: "alice", enabled: nil, password: "second password", ifRevision: nil)
            try await here.beat()
            #expect(try await !here.opens("alice", "first password"))
            #expect(try await here.opens("alice", "second password"))

            let (_, key) = try await there.desk.createKey(account: "alice", label: "robot", expiresAt: nil)
            try await here.beat()
            try await there.beat()
            #expect(try await here.opens(key: key))
            #expect(try await there.opens(key: key))
            _ = try await there.desk.change(name: "alice", enabled: false, password: nil, ifRevision: nil)
            try await here.beat()
            #expect(try await !here.opens("alice", "second password"))
            #expect(try await !here.opens(key: key))
            _ = try await there.desk.change(name: "alice", enabled: true, password: nil, ifRevision: nil)
            try await here.beat()
            #expect(try await here.opens("alice", "second password"))
            #expect(try await here.opens(key: key))
            let id = try #require(try await there.desk.keys(account: "alice").first).id
            try await there.desk.revokeKey(account: "alice", id: id)
            try await here.beat()
            #expect(try await !here.opens(key: key))
        }
    }

    @Test(arguments: [LyingCache.Manner?.none, .honest, .replaysOldest, .ignoresVersions])
    func `a session holds on every node, and ends with its time, the password and the account`(
        manner: LyingCache.Manner?
    ) async throws {
        try await TestCluster.with { cluster in
            let cache = manner.map { LyingCache($0) }
            let (here, there) = (
                try await Door(cluster, cache: cache), try await Door(cluster, cache: cache)
            )
            _ = try await here.desk.create(name: "alice", password: "first password", adopting: false)
            try await here.beat()
            try await there.beat()
            let alice = try await here.keeper.account(name: "alice", password: "first password")
            let first = try here.keeper.beginSession(of: alice).text
            for door in [here, there] {
                #expect(try await door.opens(session: first))
                #expect(try await door.opens(session: first, after: 12 * 3_600 - 60))
                #expect(try await !door.opens(session: first, after: 12 * 3_600 + 1))
                #expect(try await !door.opens(session: first + "x"))
                #expect(try await !door.opens(session: "nonsense"))
            }
            _ = try await there.desk.change(name: "alice", enabled: false, password: nil, ifRevision: nil)
            try await here.beat()
            #expect(try await !here.opens(session: first))
            _ = try await there.desk.change(
                name: "alice", enabled: true, password: "second password", ifRevision: nil)
            try await here.beat()
            try await there.beat()
            for door in [here, there] { #expect(try await !door.opens(session: first)) }
            let again = try await there.keeper.account(name: "alice", password: "second password")
            let second = try there.keeper.beginSession(of: again).text
            for door in [here, there] { #expect(try await door.opens(session: second)) }
        }
    }

    @Test func `an unknown account that is made later is known at the next heartbeat`() async throws {
        try await TestCluster.with { cluster in
            let door = try await Door(cluster, cache: LyingCache(.honest))
            #expect(try await !door.opens("bob", "some password"))
            _ = try await door.desk.create(name: "bob", password: "some password", adopting: false)
            try await door.beat()
            #expect(try await door.opens("bob", "some password"))
        }
    }

    @Test func `another node needs no scrypt for a password that was found right`() async throws {
        try await TestCluster.with { cluster in
            let cache = LyingCache(.honest)
            let here = try await Door(cluster, cache: cache)
            // No thread takes work there: every scrypt would be refused.
            let there = try await Door(cluster, cache: cache, scrypt: ScryptPool(threads: 1, queue: -1))
            _ = try await here.desk.create(name: "carol", password: "long enough", adopting: false)
            try await here.beat()
            try await there.beat()
            #expect(try await here.opens("carol", "long enough"))
            #expect(try await there.opens("carol", "long enough"))
            await #expect(throws: AccessError.tooBusy(retryAfterSeconds: 1)) {
                try await there.keeper.account(name: "carol", password: "wrong password")
            }
            await #expect(throws: AccessError.tooBusy(retryAfterSeconds: 1)) {
                try await there.keeper.account(name: "nobody", password: "wrong password")
            }
        }
    }

    @Test func `many connections with one password cost one check`() async throws {
        try await TestCluster.with { cluster in
            // A second scrypt at the same time would be refused.
            let door = try await Door(cluster, cache: nil, scrypt: ScryptPool(threads: 1, queue: 0))
            _ = try await door.desk.create(name: "carol", password: "long enough", adopting: false)
            try await door.beat()
            try await withThrowingTaskGroup { tasks in
                for _ in 0..<20 {
                    tasks.addTask {
                        _ = try await door.keeper.account(name: "carol", password: "long enough")
                    }
                }
                try await tasks.waitForAll()
            }
        }
    }

    @Test func `a node that lost its cluster lets nobody in, not even whom it knows`() async throws {
        try await TestCluster.with { cluster in
            let door = try await Door(cluster, cache: nil)
            _ = try await door.desk.create(name: "dave", password: "long enough", adopting: false)
            try await door.beat()
            #expect(try await door.opens("dave", "long enough"))
            door.standing.set(.stale(try Samples.right()))
            await #expect(throws: AccessError.self) {
                try await door.keeper.account(name: "dave", password: "long enough")
            }
        }
    }

    @Test func `keys and tokens end when they expire`() async throws {
        try await TestCluster.with { cluster in
            let door = try await Door(cluster, cache: nil)
            let first = try await door.desk.firstToken()
            #expect(try await door.desk.firstToken() == nil)
            #expect(first?.hasPrefix("flt_") == true)
            let (token, secret) = try await door.desk.issueToken(label: "t", role: .auditor, expiresAt: nil)
            try await door.beat()
            #expect(try await door.keeper.token(secret).id == token.id)
            let soon = Date().addingTimeInterval(1)
            let (_, key) = try await door.desk.createKey(account: "acme", label: "k", expiresAt: soon)
            try await door.beat()
            #expect(try await door.opens(key: key))
            try await eventually("the key expires") { try await !door.opens(key: key) }
            #expect(try await !door.opens(key: "flk_nonsense"))
        }
    }

    @Test func `homes are made with accounts, and what a crash left empty is taken over`() async throws {
        try await TestCluster.with { cluster in
            let desk = try await Door(cluster, cache: nil).desk
            let erin = try #require(AccountName("erin"))
            try await cluster.vault.makeHome(of: erin, adopting: false)
            #expect(try await desk.create(name: "erin", password: nil, adopting: false).name == erin)
            await #expect(throws: AccountDeskError.taken(erin)) {
                try await desk.create(name: "erin", password: nil, adopting: true)
            }
            let frank = try #require(AccountName("frank"))
            try await cluster.vault.makeHome(of: frank, adopting: false)
            try await cluster.vault.makeFolders(try Samples.path("full"), in: frank)
            await #expect(throws: AccountDeskError.homeExists(frank)) {
                try await desk.create(name: "frank", password: nil, adopting: false)
            }
            _ = try await desk.create(name: "frank", password: nil, adopting: true)
            let known = try await desk.account(named: "frank")
            await #expect(throws: AccountDeskError.conflict(revision: known.revision)) {
                try await desk.change(
                    name: "frank", enabled: false, password: nil, ifRevision: known.revision + 5)
            }
            await #expect(throws: AccountDeskError.unknown("grace")) {
                try await desk.account(named: "grace")
            }
            let names = try await desk.accounts(after: erin, enabled: nil, limit: 10).map(\.name)
            #expect(names == [frank])
        }
    }
}
