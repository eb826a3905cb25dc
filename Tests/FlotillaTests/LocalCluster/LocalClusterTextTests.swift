import Flotilla
import Foundation
import Testing

struct LocalClusterTextTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    private func status(_ rows: [LocalClusterStatus.Row], wanted: Int = 1) -> LocalClusterStatus {
        LocalClusterStatus(
            pid: 1, updatedAt: self.now, workersWanted: wanted, filesAddress: "http://f",
            adminAddress: "http://a",
            folder: "/d", rows: rows)
    }

    @Test func `the ports of a slot never change, and none is used twice`() {
        let ports = LocalPorts(base: 8080)
        #expect(ports.files(ofWorker: 3) == 8183 && ports.admin(ofWorker: 3) == 8283)
        #expect(ports.agent(ofWorker: 3) == 8308)
        #expect(Set(ports.all).count == ports.all.count)
    }

    @Test func `a taken port moves the whole range`() {
        #expect(LocalPorts.choose(from: 8080, isFree: { _ in true })?.base == 8080)
        #expect(LocalPorts.choose(from: 8080, isFree: { $0 != 8283 })?.base == 8330)
        #expect(LocalPorts.choose(from: 8080, isFree: { _ in false }) == nil)
        #expect(LocalPorts.choose(from: 65_500, isFree: { _ in true }) == nil)
    }

    @Test func `two clusters share no port, not even of slots that are not taken`() throws {
        let first = LocalPorts(base: 8080)
        let second = try #require(LocalPorts.choose(from: 8080, isFree: { $0 != first.files }))
        #expect(Set(first.all).isDisjoint(with: second.all))
    }

    @Test func `the balancer knows all slots, and tracks readiness once for both addresses`() {
        let text = BalancerConfiguration.text(ports: LocalPorts(base: 9000), socket: "/s")
        #expect(text.contains("    server worker-1 127.0.0.1:9101 check port 9201 agent-port 9226\n"))
        #expect(text.contains("balance leastconn"))
        #expect(text.contains("agent-check agent-addr 127.0.0.1 agent-inter 500ms"))
        #expect(text.contains("server worker-20 127.0.0.1:9220 track files/worker-20"))
        #expect(text.components(separatedBy: "    server worker-").count == 41)
        #expect(text.contains("on-marked-down shutdown-sessions"))
        // A node that drains must not be marked down, or what it has in hand would be cut.
        let rule = ##"L7OKC ! rstring \"standing\":\"(draining|stale|isolated|sick)\""##
        #expect(text.contains(rule))
    }

    @Test func `the table fits the terminal and counts what does not`() {
        let rows = (1...20).map { LocalClusterStatus.Row(name: "worker-\($0)", state: "ready", restarts: 0) }
        let lines = StatusTable.lines(self.status(rows), at: self.now, width: 40, height: 10)
        #expect(lines.count == 10)
        #expect(lines.allSatisfy { $0.count <= 40 })
        #expect(lines.last?.hasPrefix("… and 14 more") == true)
        let sick = [LocalClusterStatus.Row](rows.dropLast()) + [.init(name: "worker-20", state: "paused")]
        let others = StatusTable.lines(self.status(sick), at: self.now, width: 40, height: 10)
        #expect(others.contains { $0.hasPrefix("worker-20") } && others.count == 10)
    }

    @Test func `a row shows what a person looks for`() {
        let row = LocalClusterStatus.Row(
            name: "worker-2", state: "killed (signal 9)", pid: 77, filesPort: 8182, adminPort: 8282,
            startedAt: self.now.addingTimeInterval(-125), restarts: 4, lastLine: "a\u{1B}[2Jb")
        let line = StatusTable.lines(self.status([row]), at: self.now, width: 200, height: 24)[3]
        let words = line.split(separator: " ").joined(separator: " ")
        #expect(words == "worker-2 77 killed (signal 9) 8182 8282 2m05s 4 a [2Jb")
    }

    @Test func `only changes are told where there is no terminal`() {
        let old = self.status([
            .init(name: "worker-1", state: "ready", pid: 7), .init(name: "worker-2", state: "ready"),
        ])
        let new = self.status([.init(name: "worker-1", state: "paused", pid: 7)])
        #expect(
            StatusTable.changes(from: old, to: new) == ["worker-2 is gone", "worker-1 is paused, process 7"])
        #expect(StatusTable.changes(from: new, to: new) == [])
    }

    @Test func `a wish is reached when exactly the wanted workers are ready`() {
        let ready = LocalClusterStatus.Row(name: "worker-1", state: "ready")
        let leaving = LocalClusterStatus.Row(name: "worker-2", state: "stopping")
        let refused = LocalClusterStatus.Row(
            name: "worker-2", state: "refused (exit code 69)", lastLine: "full")
        #expect(self.status([ready]).progress(towards: 1) == .reached)
        #expect(self.status([ready]).progress(towards: 2) == .underWay)
        #expect(self.status([ready, leaving]).progress(towards: 1) == .underWay)
        #expect(self.status([ready, refused], wanted: 2).progress(towards: 2) == .refused([refused]))
    }

    @Test func `the folder is the user's state folder unless that cannot be`() {
        let folders = LocalClusterOptions.defaultFolders(
            environment: ["XDG_STATE_HOME": "rel"], home: "/h", user: 9)
        #expect(folders[0] == "/h/.local/state/flotilla/cluster")
        #expect(folders[2] == "/var/tmp/flotilla-9/cluster")
        #expect(
            LocalClusterOptions.defaultFolders(environment: ["XDG_STATE_HOME": "/s"], home: "", user: 9)[0]
                == "/s/flotilla/cluster")
    }
}
