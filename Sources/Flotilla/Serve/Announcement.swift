import ClusterModel
import ClusterPorts
import FileService
import Foundation
import Logging
import ServiceLifecycle
import Synchronization

/// Tells the person who started the node where it listens, and shows the first admin token once.
final class Announcement: Sendable {
    private struct Ports {
        var files = 0
        var admin = 0
        var agent = 0
    }

    /// Opens when both doors and the agent's listen.
    let listening = Gate(signals: 3)
    private let settings: Settings
    private let notes: [String]
    private let logger: Logger
    private let ports = Mutex(Ports())

    init(settings: Settings, notes: [String], logger: Logger) {
        self.settings = settings
        self.notes = notes
        self.logger = logger
    }

    func bound(files port: Int) {
        self.ports.withLock { $0.files = port }
        self.listening.signal()
    }

    func bound(admin port: Int) {
        self.ports.withLock { $0.admin = port }
        self.listening.signal()
    }

    func bound(agent port: Int) {
        self.ports.withLock { $0.agent = port }
        self.listening.signal()
    }

    func service(desk: AccountDesk, standing: any NodeStanding) -> any Service {
        AnnouncementService(announcement: self, desk: desk, standing: standing)
    }

    func say(_ node: NodeRight) {
        let ports = self.ports.withLock { $0 }
        let host = self.settings.bind.contains(":") ? "[\(self.settings.bind)]" : self.settings.bind
        let model = self.settings.isStandalone ? "standalone, embedded database" : "member of a cluster"
        Self.print("Flotilla \(ProgramVersion.text) · node \(node.name) · \(model)")
        Self.print("  files  http://\(host):\(ports.files)/files/")
        Self.print("  admin  http://\(host):\(ports.admin)/api/v1/")
        Self.print("  agent  \(host):\(ports.agent), for the balancer's agent check")
        for note in self.notes { Self.print("  note   \(note)") }
    }

    /// At once, whatever standard output is.
    private static func print(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    /// On the terminal, or into a file that only its owner can read; never into a log.
    func show(token: String) {
        if isatty(STDOUT_FILENO) == 1 {
            Self.print("  admin token, shown this once: \(token)")
            Self.print("    export FLOTILLA_ADMIN_TOKEN=\(token)")
            return
        }
        let descriptor = open(
            self.settings.tokenFile, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        let line = Array((token + "\n").utf8)
        guard descriptor >= 0, fchmod(descriptor, 0o600) == 0,
            write(descriptor, line, line.count) == line.count
        else {
            self.logger.error(
                "the first admin token could not be written; make another with `flotilla token issue`",
                metadata: [
                    "file": "\(self.settings.tokenFile)", "error": "\(String(cString: strerror(errno)))",
                ])
            if descriptor >= 0 { close(descriptor) }
            return
        }
        close(descriptor)
        Self.print("  admin token in \(self.settings.tokenFile)")
    }
}

/// Waits until the node serves, announces it, and stays quiet from then on.
private struct AnnouncementService: Service {
    let announcement: Announcement
    let desk: AccountDesk
    let standing: any NodeStanding

    func run() async throws {
        await cancelWhenGracefulShutdown {
            guard let right = await self.serving() else { return }
            self.announcement.say(right)
            await self.showFirstToken()
        }
        try? await gracefulShutdown()
    }

    private func serving() async -> NodeRight? {
        let changes = self.standing.changes()
        if let right = self.standing.standing().right { return right }
        for await _ in changes {
            if let right = self.standing.standing().right { return right }
        }
        return nil
    }

    private func showFirstToken() async {
        guard let token = try? await self.desk.firstToken() else { return }
        self.announcement.show(token: token)
    }
}
