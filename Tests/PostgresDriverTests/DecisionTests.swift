import PostgresDriver
import Testing

struct StatementCacheTests {
    private func key(_ sql: String) -> StatementCache.Key {
        StatementCache.Key(PostgresStatement(unescaped: sql))
    }

    @Test func `a statement is prepared once`() {
        var cache = StatementCache(limit: 2)
        #expect(cache.use(self.key("a")) == .prepare(name: "s1", drop: nil))
        #expect(cache.use(self.key("a")) == .unprepared)
        cache.prepared(self.key("a"))
        #expect(cache.use(self.key("a")) == .prepared(name: "s1"))
    }

    @Test func `the same SQL with other types is another statement`() {
        var cache = StatementCache(limit: 2)
        #expect(cache.use(StatementCache.Key("select \(1 as Int64)")) == .prepare(name: "s1", drop: nil))
        #expect(cache.use(StatementCache.Key("select \("x")")) == .prepare(name: "s2", drop: nil))
    }

    @Test func `the least recently used leaves`() {
        var cache = StatementCache(limit: 2)
        for sql in ["a", "b"] {
            _ = cache.use(self.key(sql))
            cache.prepared(self.key(sql))
        }
        _ = cache.use(self.key("a"))
        #expect(cache.use(self.key("c")) == .prepare(name: "s3", drop: "s2"))
        #expect(cache.count == 2)
        #expect(cache.use(self.key("a")) == .prepared(name: "s1"))
    }

    @Test func `one that failed to prepare has no name to drop`() {
        var cache = StatementCache(limit: 2)
        _ = cache.use(self.key("bad"))
        #expect(cache.forget(self.key("bad")) == nil)
        #expect(cache.use(self.key("bad")) == .prepare(name: "s2", drop: nil))
    }

    @Test func `a limit of none prepares nothing`() {
        var cache = StatementCache(limit: 0)
        #expect(cache.use(self.key("a")) == .unprepared)
    }
}

struct ConnectionTargetsTests {
    private func targets(_ text: String, settings: [String: String] = [:]) throws -> [[String: String]] {
        try ConnectionTargets(PostgresConfiguration(connectionString: text, sessionSettings: settings))
            .targets.map { Dictionary(uniqueKeysWithValues: $0.map { ($0.name, $0.value) }) }
    }

    @Test func `several hosts become several targets`() throws {
        let targets = try self.targets("host=a,b,/run/pg port=1,2,3 target_session_attrs=read-write")
        #expect(targets.map { $0["host"] } == ["a", "b", "/run/pg"])
        #expect(targets.map { $0["port"] } == ["1", "2", "3"])
        #expect(targets.allSatisfy { $0["target_session_attrs"] == "read-write" })
    }

    @Test func `a standby that is only preferred is looked for everywhere first`() throws {
        let targets = try self.targets("host=a,b target_session_attrs=prefer-standby")
        #expect(targets.map { $0["host"] } == ["a", "b", "a", "b"])
        #expect(targets.map { $0["target_session_attrs"] } == ["standby", "standby", "any", "any"])
    }

    @Test func `one port serves all hosts, in a URI too`() throws {
        let targets = try self.targets("postgresql://me@a,b:7/db")
        #expect(targets.count == 2)
        #expect(try self.targets("host=a,b port=7").map { $0["port"] } == ["7", "7"])
    }

    @Test func `lists that do not go in step are refused`() {
        #expect(throws: PostgresError.self) { try self.targets("host=a,b,c port=1,2") }
        #expect(throws: PostgresError.self) { try self.targets("host=a hostaddr=1.1.1.1,2.2.2.2") }
    }

    @Test func `a broken connection string is named`() {
        #expect(throws: PostgresError.self) { try self.targets("nonsense=1") }
        #expect(throws: PostgresError.self) { try self.targets("host='a") }
    }

    @Test func `session settings travel as options, spaces escaped`() throws {
        let one = try self.targets(
            "host=a options='-c x=1'", settings: ["search_path": "a, b", "lock_timeout": "1s"])
        #expect(one[0]["options"] == #"-c x=1 -c lock_timeout=1s -c search_path=a,\ b"#)
    }

    @Test func `text is always UTF-8`() throws {
        #expect(try self.targets("host=a client_encoding=latin1")[0]["client_encoding"] == "UTF8")
    }
}
