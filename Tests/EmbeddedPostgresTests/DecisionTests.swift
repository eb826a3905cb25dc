import EmbeddedPostgres
import Testing

struct DecisionTests {
    let installed = [Installation(major: 15, folder: "/a"), Installation(major: 17, folder: "/b")]

    @Test func `without data the newest version is taken, with data its own`() {
        #expect(
            Installation.choose(from: self.installed, dataMajors: [], folder: "/d")
                == .success(self.installed[1]))
        #expect(
            Installation.choose(from: self.installed, dataMajors: [15], folder: "/d")
                == .success(self.installed[0]))
    }

    @Test func `a missing version is named, and so is the folder`() {
        let choice = Installation.choose(from: self.installed, dataMajors: [16], folder: "/d")
        let error = EmbeddedPostgresError.versionMissing(folder: "/d", major: 16, installed: [15, 17])
        #expect(choice == .failure(error))
        #expect(error.description.contains("postgresql-16"))
        #expect(Installation.choose(from: [], dataMajors: [16], folder: "/d") == .failure(.notInstalled))
    }

    @Test func `the version line of Debian and of others is understood`() {
        #expect(
            Installation.major(fromVersionLine: "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)") == 15)
        #expect(Installation.major(fromVersionLine: "postgres (PostgreSQL) 18beta1") == 18)
        #expect(Installation.major(fromVersionLine: "no") == nil)
    }

    @Test func `the socket lies with the data when its address is short enough`() {
        #expect(
            SocketFolder.choose(data: "/var/lib/flotilla", runtimeFolder: nil, user: 7)
                == "/var/lib/flotilla/postgres/run")
        let long = "/" + String(repeating: "x", count: 100)
        let short = SocketFolder.choose(data: long, runtimeFolder: "/run/user/7", user: 7)
        #expect(short.hasPrefix("/run/user/7/flotilla-7-"))
        #expect(SocketFolder.choose(data: long, runtimeFolder: nil, user: 7).hasPrefix("/tmp/flotilla-7-"))
        #expect(SocketFolder.choose(data: long, runtimeFolder: long, user: 7).hasPrefix("/tmp/flotilla-7-"))
    }

    @Test func `the limit of a socket's address is exact`() {
        let name = "/.s.PGSQL.5432"
        #expect(SocketFolder.fits("/" + String(repeating: "x", count: 107 - name.count - 1)))
        #expect(!SocketFolder.fits("/" + String(repeating: "x", count: 107 - name.count)))
        #expect(
            !SocketFolder.fits("/with,comma") && !SocketFolder.fits("/with space")
                && !SocketFolder.fits("/wïth"))
    }

    @Test func `restarts wait twice as long each time, up to a limit, until there was calm`() {
        var backoff = RestartBackoff(
            first: .milliseconds(100), most: .milliseconds(350), calmAfter: .seconds(30))
        let waits = (1...4).map { _ in backoff.delay(afterLiving: .zero) }
        #expect(waits == [.milliseconds(100), .milliseconds(200), .milliseconds(350), .milliseconds(350)])
        #expect(backoff.delay(afterLiving: .seconds(30)) == .milliseconds(100))
        #expect(backoff.delay(afterLiving: .seconds(1)) == .milliseconds(200))
    }

    @Test func `a failure is told by its reason, not by the tidying up after it`() {
        let failed = [
            #"running bootstrap script ... 2026-01-01 [7] FATAL:  could not extend file "base/1/2691": No space left on device"#,
            "2026-01-01 [7] HINT:  Check free disk space.", "child process exited with exit code 134",
            #"initdb: removing contents of data directory "/d/postgres/15""#,
        ]
        #expect(
            BoundedLog.complaint(in: failed)
                == #"could not extend file "base/1/2691": No space left on device"#)
        let refused = [
            #"initdb: error: could not create directory "/d/postgres/15": Read-only file system"#,
            #"initdb: removing data directory "/d/postgres/15""#,
        ]
        #expect(
            BoundedLog.complaint(in: refused)
                == #"could not create directory "/d/postgres/15": Read-only file system"#)
        #expect(BoundedLog.complaint(in: ["only this"]) == "only this")
        #expect(BoundedLog.complaint(in: []) == nil)
    }

    @Test func `only the line of the same process says that it is ready`() throws {
        let text = "77\n/d\n1700000000\n5432\n/run/x\n\n  1  2\nready   \n"
        let file = try #require(PostmasterFile(text))
        #expect(file.isReady(pid: 77) && !file.isReady(pid: 78))
        #expect(file.socketFolder == "/run/x")
        #expect(PostmasterFile("77\n/d\n")?.isReady(pid: 77) == false)
        #expect(PostmasterFile("") == nil && PostmasterFile("-5\n") == nil)
    }

    @Test func `shared buffers follow the memory within limits`() {
        #expect(ServerSettings.sharedBuffersMegabytes(memory: 1 << 30) == 128)
        #expect(ServerSettings.sharedBuffersMegabytes(memory: 8 << 30) == 512)
        #expect(ServerSettings.sharedBuffersMegabytes(memory: 64 << 30) == 1024)
    }

    @Test func `every way to end has a name`() {
        #expect(ChildProcess.End(status: 3 << 8) == .exited(3))
        #expect(ChildProcess.End(status: 9) == .killed(signal: 9))
        #expect(ChildProcess.End(status: 9 | 0x80).description == "signal 9")
    }

    @Test func `names of leftovers are told from data folders`() {
        #expect(DataLayout.isLeftover("15.initialising-1f"))
        #expect(
            !DataLayout.isLeftover("15") && !DataLayout.isLeftover("log")
                && !DataLayout.isLeftover("x.initialising-1"))
    }
}
