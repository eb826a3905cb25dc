import Foundation
import PostgresDriver
import Synchronization
import Testing

struct BlockingConnectionTests {
    private func connect() throws -> BlockingPostgresConnection {
        try BlockingPostgresConnection(TestServer.configuration(), deadline: .seconds(5))
    }

    @Test func `it answers like the others`() throws {
        let connection = try self.connect()
        let row = try connection.query("select \(1), \("x"), \(nil as Int64?)", deadline: .seconds(5))[0]
        let (one, text, none) = try row.decode(Int.self, String.self, Int64?.self)
        #expect(one == 1)
        #expect(text == "x")
        #expect(none == nil)
        #expect(throws: PostgresError.self) { try connection.query("select 1 / 0", deadline: .seconds(5)) }
        #expect(connection.isOpen)
        try connection.execute(script: "select 1; select 2", deadline: .seconds(5))
        #expect(
            try connection.query("select pg_backend_pid()", deadline: .seconds(5))[0][0, as: Int32.self]
                == connection.backendID)
    }

    @Test func `it notices between statements that the server has ended the session`() throws {
        let lock = try HeldLock()
        let connection = try self.connect()
        #expect(connection.stands())
        try lock.terminate(connection.backendID)
        let due = ContinuousClock.now.advanced(by: .seconds(10))
        while connection.stands(), ContinuousClock.now < due {}
        #expect(!connection.isOpen)
        #expect(throws: PostgresError.didNotRun(.closed)) {
            try connection.query("select 1", deadline: .seconds(1))
        }
    }

    @Test func `it never waits longer than its deadline for an answer`() throws {
        let lock = try HeldLock()
        let connection = try self.connect()
        let start = ContinuousClock.now
        #expect(throws: PostgresError.mayHaveRun(.deadline)) {
            try connection.query("select pg_advisory_lock(\(lock.key))", deadline: .milliseconds(200))
        }
        #expect(start.duration(to: .now) >= .milliseconds(200))
        #expect(start.duration(to: .now) < .seconds(2))
        #expect(!connection.isOpen)
        #expect(throws: PostgresError.didNotRun(.closed)) {
            try connection.query("select 1", deadline: .seconds(1))
        }
    }

    @Test func `an answer that is late ends its use, and its session with its locks only when it is closed`()
        throws
    {
        let lock = try HeldLock()
        let connection = try self.connect()
        let other = try self.connect()
        let key = Int64.random(in: 1...(.max))
        let mayTake: () throws -> Bool = {
            let rows = try other.query(
                "select pg_try_advisory_lock(\(key)), pg_advisory_unlock_all()::text", deadline: .seconds(5))
            return try rows[0][0, as: Bool.self]
        }
        _ = try connection.query("select pg_advisory_lock_shared(\(key))", deadline: .seconds(5))
        #expect(throws: PostgresError.mayHaveRun(.deadline)) {
            try connection.query("select pg_advisory_lock(\(lock.key))", deadline: .milliseconds(200))
        }
        #expect(!connection.isOpen)
        #expect(try !mayTake())
        let backend = connection.backendID
        connection.close()
        // It waits for a lock, so the server looks at its socket every now and then only.
        try lock.terminate(backend)
        let due = ContinuousClock.now.advanced(by: .seconds(10))
        while try !mayTake(), ContinuousClock.now < due {}
        #expect(try mayTake())
    }

    @Test func `it never waits longer than its deadline for a session`() throws {
        let silent = try SilentServer()
        var configuration = silent.configuration
        configuration.connectDeadline = .seconds(60)
        let start = ContinuousClock.now
        let reason = "127.0.0.1 port \(silent.port): no session in time"
        #expect(throws: PostgresError.didNotRun(.notConnected(reason))) {
            _ = try BlockingPostgresConnection(configuration, deadline: .milliseconds(200))
        }
        #expect(start.duration(to: .now) < .seconds(2))
    }

    @Test func `a terminated backend is an unknown outcome`() throws {
        let lock = try HeldLock()
        let connection = try self.connect()
        let backend = connection.backendID
        let thread = Thread {
            let due = ContinuousClock.now.advanced(by: .seconds(10))
            while (try? lock.currentWaiter()) != backend, ContinuousClock.now < due {}
            try? lock.terminate(backend)
        }
        thread.start()
        let error = #expect(throws: PostgresError.self) {
            try connection.query("select pg_advisory_lock(\(lock.key))", deadline: .seconds(15))
        }
        guard case .mayHaveRun(.connectionLost) = error else {
            Issue.record("unexpected: \(String(describing: error))")
            return
        }
        #expect(!connection.isOpen)
    }

    @Test func `it works on a thread of its own`() async throws {
        let configuration = try TestServer.configuration()
        let answer = await withCheckedContinuation { (continuation: CheckedContinuation<Int?, Never>) in
            let thread = Thread {
                let connection = try? BlockingPostgresConnection(configuration, deadline: .seconds(5))
                let rows = try? connection?.query("select \(9)", deadline: .seconds(5))
                continuation.resume(returning: try? rows?[0][0, as: Int.self])
            }
            thread.start()
        }
        #expect(answer == 9)
    }

    @Test func `notices reach who asked for them`() throws {
        let notices = Mutex<[String]>([])
        let connection = try BlockingPostgresConnection(TestServer.configuration(), deadline: .seconds(5)) {
            notice in
            notices.withLock { $0.append(notice) }
        }
        try connection.execute(script: "do $$ begin raise notice 'well, well'; end $$", deadline: .seconds(5))
        #expect(notices.withLock { $0 }.contains { $0.contains("well, well") })
    }

    @Test func `statements are prepared once`() throws {
        let connection = try self.connect()
        func prepared() throws -> Int {
            let count = PostgresStatement("select count(*) from pg_prepared_statements").unprepared()
            return try connection.query(count, deadline: .seconds(5))[0][0, as: Int.self]
        }
        for number in 0..<5 {
            #expect(
                try connection.query("select \(number)", deadline: .seconds(5))[0][0, as: Int.self]
                    == number)
        }
        #expect(try prepared() == 1)
        for number in 0..<40 {
            _ = try connection.query("select \(unescaped: "\(number)")", deadline: .seconds(5))
        }
        #expect(try prepared() == 16)
    }

    @Test func `a plan that became void is made anew, and a refused one leaves nothing behind`() throws {
        let connection = try self.connect()
        try connection.execute(script: "create temporary table odd (id int8)", deadline: .seconds(5))
        let select: PostgresStatement = "select * from odd"
        #expect(try connection.query(select, deadline: .seconds(5)).isEmpty)
        try connection.execute(
            script: "alter table odd add more text; insert into odd values (1, 'x')", deadline: .seconds(5))
        for _ in 0..<3 {
            #expect(try connection.query(select, deadline: .seconds(5))[0]["more", as: String.self] == "x")
        }
        try connection.execute(script: "deallocate all", deadline: .seconds(5))
        #expect(try connection.query(select, deadline: .seconds(5)).count == 1)
        for _ in 0..<2 {
            let error = #expect(throws: PostgresError.self) {
                try connection.query("selec 1", deadline: .seconds(5))
            }
            #expect(error?.sqlState == "42601")
        }
    }

    @Test func `a silent first host leaves time for the second`() throws {
        let silent = try SilentServer()
        let address = try TestServer.address()
        var both = try TestServer.configuration()
        both.parameters = [
            "host": "127.0.0.1,\(address.host)", "port": "\(silent.port),\(address.port)", "hostaddr": "",
        ]
        both.connectDeadline = .seconds(60)
        let connection = try BlockingPostgresConnection(both, deadline: .seconds(2))
        #expect(connection.isOpen)
    }
}
