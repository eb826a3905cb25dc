import EmbeddedPostgres
import Foundation
import Testing

@Suite(.serialized) struct ServerTests {
    @Test func `a new folder is initialised, and a later start finds its data`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        try await fixture.running { postgres in
            _ = try psql(postgres.connectionString, "CREATE TABLE kept AS SELECT 42 AS answer")
        }
        let started = ContinuousClock.now
        try await fixture.running { postgres in
            #expect(started.duration(to: .now) < .seconds(5))
            try expect("SELECT answer FROM kept", answers: "42", on: postgres)
        }
        #expect(!FileManager.default.fileExists(atPath: try fixture.dataFolder() + "/postmaster.pid"))
    }

    @Test func `the server has the settings that coordination asks for`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        try await fixture.running { postgres in
            let wanted = [
                "listen_addresses": "", "max_connections": "300", "fsync": "on", "synchronous_commit": "on",
                "full_page_writes": "on", "data_checksums": "on", "server_encoding": "UTF8",
                "lc_collate": "C",
                "unix_socket_permissions": "0700", "jit": "off", "wal_level": "replica",
                "client_connection_check_interval": "1s", "log_min_error_statement": "panic",
            ]
            for (name, value) in wanted {
                try expect("SHOW \(name)", answers: value, on: postgres)
            }
            try expect("SELECT current_user || current_database()", answers: "flotillaflotilla", on: postgres)
            #expect(
                EmbeddedPostgres.connectionString(ofRunningIn: fixture.folder) == postgres.connectionString)
        }
        #expect(EmbeddedPostgres.connectionString(ofRunningIn: fixture.folder) == nil)
    }

    @Test func `a killed server is started again with what it had acknowledged`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        try await fixture.running { postgres in
            _ = try psql(postgres.connectionString, "CREATE TABLE kept AS SELECT 7 AS answer")
            for _ in 1...2 {
                guard case .ready(let first) = postgres.state else {
                    Issue.record("not ready: \(postgres.state)")
                    return
                }
                kill(first, SIGKILL)
                try await eventually("a new server is ready") {
                    if case .ready(let pid) = postgres.state { pid != first } else { false }
                }
            }
            try expect("SELECT answer FROM kept", answers: "7", on: postgres)
        }
    }

    @Test func `a second process on the same folder is refused and harms nothing`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        try await fixture.running { postgres in
            let second = try fixture.postgres()
            let refusal = EmbeddedPostgresError.inUse(fixture.folder, pid: getpid())
            await #expect(throws: refusal) { try await second.run() }
            await #expect(throws: refusal) { try await second.waitUntilReady() }
            try expect("SELECT 1", answers: "1", on: postgres)
        }
    }

    @Test func `a long path has its socket in a short folder of the user's own`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        let data = fixture.folder + "/" + String(repeating: "long and, odd/", count: 8)
        let socketFolder = try await fixture.running(data: data) { postgres in
            #expect(postgres.socketFolder.hasPrefix("/tmp/flotilla-"))
            try expect("SELECT 1", answers: "1", on: postgres)
            var status = stat()
            #expect(lstat(postgres.socketFolder, &status) == 0 && status.st_mode & 0o777 == 0o700)
            return postgres.socketFolder
        }
        #expect(!FileManager.default.fileExists(atPath: socketFolder), "nothing stays in /tmp")
    }

    @Test func `settings that do not work end in an error with the server's own words`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        try await fixture.running { _ in }
        let settings = try fixture.dataFolder() + "/postgresql.conf"
        let text = try String(contentsOfFile: settings, encoding: .utf8)
        let handle = try #require(FileHandle(forWritingAtPath: settings))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("\nno_such_setting = 1\n".utf8))
        try handle.close()
        #expect(text.contains("include 'flotilla.conf'"))
        let error = await #expect(throws: EmbeddedPostgresError.self) { try await fixture.postgres().run() }
        #expect(error?.description.contains("does not start") == true)
    }
}
