import EmbeddedPostgres
import Foundation
import Testing

struct ChildProcessTests {
    @Test func `the end of a child is known with its exit code or signal`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        let exiting = try await fixture.start("/bin/sh", ["-c", "echo last words; exit 3"])
        #expect(await exiting.ended() == .exited(3))
        let log = BoundedLog(path: fixture.folder + "/other.log", bytesMax: 1 << 20)
        #expect(log.lastLine() == "last words")
        let killed = try await fixture.start("/bin/sleep", ["1000"])
        killed.signal(SIGKILL)
        #expect(await killed.ended() == .killed(signal: SIGKILL))
    }

    @Test func `a program that does not exist is named`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        let error = await #expect(throws: ChildProcess.StartError.self) {
            try await fixture.start("/no/such/program", [])
        }
        #expect(error?.description == "cannot run /no/such/program: No such file or directory")
    }

    @Test func `a child that ignores the first signal gets the next one`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        let child = try await fixture.start(
            "/bin/sh", ["-c", "trap '' TERM; echo on; while :; do sleep 0.05; done"])
        let log = BoundedLog(path: fixture.folder + "/other.log", bytesMax: 1 << 20)
        try await eventually("the trap is set") { log.lastLine() == "on" }
        await child.stop([
            .init(signal: SIGTERM, patience: .milliseconds(200)),
            .init(signal: SIGKILL, patience: .seconds(5)),
        ])
        #expect(child.ending == .killed(signal: SIGKILL))
    }

    @Test func `waiting for a child ends when the task is cancelled`() async throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        let child = try await fixture.start("/bin/sleep", ["1000"])
        let end = await withTaskGroup(of: ChildProcess.End?.self) { group in
            group.addTask { await child.ended() }
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(end == nil)
        await child.stop([.init(signal: SIGKILL, patience: .seconds(5))])
    }

    @Test func `a log is cut when it is too long and keeps the older part`() throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        let log = BoundedLog(path: fixture.folder + "/a.log", bytesMax: 10)
        try "0123456789abc\n".write(toFile: log.path, atomically: false, encoding: .utf8)
        log.trim()
        #expect(try String(contentsOfFile: log.path, encoding: .utf8) == "")
        #expect(try String(contentsOfFile: log.path + ".1", encoding: .utf8) == "0123456789abc\n")
    }

    @Test func `a folder is locked for one at a time`() throws {
        let fixture = try ServerFixture()
        defer { fixture.remove() }
        let lock = try FolderLock(path: fixture.folder + "/lock")
        let refused = #expect(throws: FolderLock.Held.self) { try FolderLock(path: fixture.folder + "/lock") }
        #expect(refused?.pid == getpid())
        lock.release()
        try FolderLock(path: fixture.folder + "/lock").release()
    }
}
