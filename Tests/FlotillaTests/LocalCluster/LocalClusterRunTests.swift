import EmbeddedPostgres
import Flotilla
import Foundation
import Testing

/// The whole local cluster with its real PostgreSQL, Redis and HAProxy; only the workers are a small script.
@Suite(.serialized) struct LocalClusterRunTests {
    /// Answers on its admin port and its files port, and leaves at SIGTERM; `full` in its data folder makes
    /// it refuse.
    private static let worker = #"""
        #!/usr/bin/perl
        use strict; use IO::Socket::INET; use IO::Select;
        shift @ARGV; my %o = @ARGV; $| = 1;
        if (-e "$o{'--data'}/full") { print "the cluster is full\n"; exit 69 }
        $SIG{TERM} = sub { print "leaving\n"; exit 0 };
        my @s = map { IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $o{$_}, Listen => 64, ReuseAddr => 1)
          or do { print "port: $!\n"; exit 71 } } ('--files-port', '--admin-port');
        print "listening as $o{'--name'} on $o{'--database-url'}\n";
        my $select = IO::Select->new(@s);
        while (1) { for my $r ($select->can_read) { my $c = $r->accept or next;
          while (my $l = <$c>) { last if $l =~ /^\r?$/ }
          my $b = $o{'--name'}; print $c "HTTP/1.1 200 OK\r\nContent-Length: ".length($b)."\r\nConnection: close\r\n\r\n$b"; close $c } }
        """#

    private struct Fixture {
        let folder: LocalClusterFolder
        var options: LocalClusterOptions
        var running: RunningLocalCluster { RunningLocalCluster(folder: self.folder) }

        init(workers: Int) throws {
            let root = "/tmp/flc-" + String(UInt32.random(in: .min ... .max), radix: 16)
            self.folder = LocalClusterFolder(root: root)
            try PrivateFolder.makeParents(root, mode: 0o755)
            let program = root + "/worker.pl"
            try LocalClusterRunTests.worker.write(toFile: program, atomically: true, encoding: .utf8)
            chmod(program, 0o755)
            self.options = LocalClusterOptions(workers: workers, folder: root)
            self.options.port = 20_000 + 300 * Int.random(in: 0..<100)
            self.options.executable = program
            self.options.isQuiet = true
            if geteuid() == 0 {
                self.options.databaseUser = (try? SystemUser.named("postgres")) == nil ? "nobody" : "postgres"
            }
        }

        func states() -> [String: String] {
            let rows = (try? self.running.status())?.rows ?? []
            return Dictionary(rows.map { ($0.name, $0.state) }, uniquingKeysWith: { $1 })
        }

        func row(_ name: String) throws -> LocalClusterStatus.Row? {
            try self.running.status().rows.first { $0.name == name }
        }

        /// Runs the cluster around the body and stops it by cancellation.
        func running(_ body: () async throws -> Void) async throws {
            let start = try LocalClusterStart(self.options)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await start.run(stoppedBy: []) }
                try await eventually("all are ready") {
                    let states = self.states()
                    return states.count >= self.options.workers + 1
                        && states.values.allSatisfy { $0 == "ready" }
                }
                try await body()
                group.cancelAll()
                while let result = await group.nextResult() {
                    if case .failure(let error) = result, !(error is CancellationError) { throw error }
                }
            }
        }

        func remove() { try? FileManager.default.removeItem(atPath: self.folder.root) }
    }

    @Test func `a cluster comes up, scales both ways, restarts the killed, and leaves nothing running`()
        async throws
    {
        let fixture = try Fixture(workers: 2)
        defer { fixture.remove() }
        var pids: [Int32] = []
        try await fixture.running {
            try await fixture.running.scale(to: 4, within: .seconds(30))
            try await fixture.running.scale(to: 2, within: .seconds(30))
            #expect(fixture.states()["worker-3"] == nil)

            let first = try #require(try fixture.row("worker-1")?.pid)
            kill(first, SIGKILL)
            try await eventually("the killed one is shown as such") {
                fixture.states()["worker-1"] == "killed (signal 9)"
            }
            try await eventually("it comes back") { fixture.states()["worker-1"] == "ready" }
            #expect(try fixture.row("worker-1")?.restarts == 1)

            let second = try #require(try fixture.row("worker-2")?.pid)
            kill(second, SIGSTOP)
            try await eventually("the paused one is shown as such") {
                fixture.states()["worker-2"] == "paused"
            }
            kill(second, SIGCONT)
            try await eventually("it is ready again") { fixture.states()["worker-2"] == "ready" }
            pids = try fixture.running.status().rows.compactMap(\.pid)
        }
        #expect(pids.count >= 3)
        #expect(pids.allSatisfy { kill($0, 0) != 0 }, "all children have ended")
        #expect(throws: LocalClusterError.notRunning(folder: fixture.folder.root)) {
            try fixture.running.status()
        }
        #expect(!FileManager.default.fileExists(atPath: fixture.folder.status))
    }

    @Test func `a worker that refuses is shown with its words, and scaling says so`() async throws {
        let fixture = try Fixture(workers: 1)
        defer { fixture.remove() }
        try await fixture.running {
            #expect(
                FileManager.default.createFile(atPath: fixture.folder.root + "/worker-2/full", contents: nil))
            let refusal = LocalClusterError.refused(worker: "worker-2", words: "the cluster is full")
            await #expect(throws: refusal) { try await fixture.running.scale(to: 2, within: .seconds(30)) }
            #expect(fixture.states()["worker-2"] == "refused (exit code 69)")
        }
    }

    @Test
    func `a second cluster on the same folder is refused, and other ports are found for a second folder`()
        async throws
    {
        let fixture = try Fixture(workers: 1)
        defer { fixture.remove() }
        var other = try Fixture(workers: 1)
        defer { other.remove() }
        other.options.port = fixture.options.port
        let second = other
        try await fixture.running {
            await #expect(
                throws: LocalClusterError.alreadyRunning(folder: fixture.folder.root, pid: getpid())
            ) {
                try await LocalClusterStart(fixture.options).run(stoppedBy: [])
            }
            try await second.running {
                let ports = [try fixture.row("worker-1")?.filesPort, try second.row("worker-1")?.filesPort]
                #expect(ports[0] != ports[1])
            }
        }
    }

    @Test func `nothing can be scaled where nothing runs, and no cluster has twenty-one`() async throws {
        let fixture = try Fixture(workers: 1)
        defer { fixture.remove() }
        await #expect(throws: LocalClusterError.notRunning(folder: fixture.folder.root)) {
            try await fixture.running.scale(to: 2, within: .seconds(1))
        }
        var options = fixture.options
        options.workers = 21
        #expect(throws: LocalClusterError.tooMany(21)) { try LocalClusterStart(options) }
    }
}

/// Polls until something is true; records an issue when it never is.
private func eventually(
    _ what: Comment, within limit: Duration = .seconds(30), sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () throws -> Bool
) async throws {
    let deadline = ContinuousClock.now.advanced(by: limit)
    while try !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record(what, sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}
