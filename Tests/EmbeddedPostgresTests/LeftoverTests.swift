import EmbeddedPostgres
import Foundation
import Testing

/// What an earlier, crashed run may have left, and that none of it blocks a start.
@Suite(.serialized) struct LeftoverTests {
    @Test func `an interrupted initialisation leaves nothing that blocks the next start`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        let postgres = try fixture.postgres()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await postgres.run() }
            try await eventually("the initialisation begins") {
                fixture.names().contains {
                    $0.contains("initialising") && fixture.names(in: "/postgres/\($0)").count > 3
                }
            }
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(fixture.names().compactMap { Int($0) } == [])
        // What a crash would leave: nobody was there to remove it.
        let leftover = fixture.folder + "/postgres/15.initialising-abc"
        try FileManager.default.createDirectory(atPath: leftover + "/base", withIntermediateDirectories: true)
        try await fixture.running { postgres in
            try expect("SELECT 1", answers: "1", on: postgres)
        }
        #expect(!fixture.names().contains { $0.contains("initialising") })
    }

    @Test func `a server of an earlier run is stopped and replaced`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        try await fixture.running { _ in }
        let data = try fixture.dataFolder()
        let program = try fixture.postgres().programs + "/postgres"
        let orphan = try await fixture.start(program, ["-D", data])
        try await eventually("the orphan is ready") {
            EmbeddedPostgres.connectionString(ofRunningIn: fixture.folder) != nil
        }
        try await fixture.running { postgres in
            #expect(await orphan.ended() == .exited(0))
            try expect("SELECT 1", answers: "1", on: postgres)
        }
    }

    @Test func `a paused server of an earlier run does not block the start`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        try await fixture.running { _ in }
        let program = try fixture.postgres().programs + "/postgres"
        let orphan = try await fixture.start(program, ["-D", try fixture.dataFolder()])
        try await eventually("the orphan is ready") {
            EmbeddedPostgres.connectionString(ofRunningIn: fixture.folder) != nil
        }
        orphan.signal(SIGSTOP)
        try await fixture.running { _ in #expect(orphan.ending != nil) }
    }

    @Test func `a process id that belongs to another program now does not block the start`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        try await fixture.running { _ in }
        let other = try await fixture.start("/bin/sleep", ["1000"])
        let stale =
            "\(other.pid)\n\(try fixture.dataFolder())\n1700000000\n5432\n/tmp\n\n  1234  5678\nready   \n"
        try stale.write(
            toFile: try fixture.dataFolder() + "/postmaster.pid", atomically: true, encoding: .utf8)
        let lock = fixture.folder + "/postgres/run/.s.PGSQL.5432.lock"
        try stale.write(toFile: lock, atomically: true, encoding: .utf8)
        for path in [try fixture.dataFolder() + "/postmaster.pid", lock] { chmod(path, 0o644) }
        try await fixture.running { postgres in
            try expect("SELECT 1", answers: "1", on: postgres)
        }
        #expect(other.ending == nil)
        await other.stop([.init(signal: SIGKILL, patience: .seconds(5))])
    }

    @Test func `a link in place of a private folder is refused`() throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        let own = try SystemUser.current()
        let link = fixture.folder + "/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "/tmp")
        #expect(throws: EmbeddedPostgresError.badFolder(link, reason: "it is not a folder")) {
            try PrivateFolder.make(link, for: own)
        }
        let open = fixture.folder + "/open"
        #expect(mkdir(open, 0o777) == 0)
        try PrivateFolder.make(open, for: own)
        var status = stat()
        #expect(stat(open, &status) == 0 && status.st_mode & 0o777 == 0o700)
    }
}
