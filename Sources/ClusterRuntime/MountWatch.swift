import ClusterModel
import ClusterPorts
import Coordinator
import Logging

/// Probes the mount once a second and lets the board know, so that a node without its mount does nothing with it;
/// how long it took goes to the node's judgement of its own health.
struct MountWatch: Sendable {
    let mount: any MountGuard
    let identity: MountIdentity
    let board: StandingBoard
    let logger: Logger
    let report: @Sendable (HealthSign) -> Void

    static let period: Duration = .seconds(1)
    static let deadline: Duration = .seconds(3)

    func run() async {
        while !Task.isCancelled {
            let trouble: String?
            let started = SteadyClock.now()
            do {
                try await self.mount.probe(expecting: self.identity, within: Self.deadline)
                trouble = nil
            } catch {
                trouble = error.description
            }
            // A probe that was given up says nothing of the mount.
            if Task.isCancelled { return }
            self.report(.mountProbed(took: SteadyClock.now().since(started), trouble: trouble))
            if self.board.mount(trouble) {
                if let trouble {
                    self.logger.warning(
                        "the mount is out of order", metadata: ["mount.trouble": "\(trouble)"])
                } else {
                    self.logger.info("the mount is in order")
                }
            }
            do { try await Task.sleep(for: Self.period) } catch { return }
        }
    }
}
