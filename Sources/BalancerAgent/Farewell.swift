import NIOCore
import ServiceLifecycle

/// Keeps a node that was told to stop in service until its balancers know, so that nobody is sent to it in vain.
///
/// Put it behind everything else: services stop in reverse order.
package struct Farewell: Service {
    /// A balancer that has not asked for so long is none.
    private static let silence = TimeAmount.seconds(3)
    /// Two questions that come twice a second, and a little.
    private static let longest = TimeAmount.milliseconds(1_200)

    private let door: AgentDoor

    package init(_ door: AgentDoor) { self.door = door }

    package func run() async throws {
        try? await gracefulShutdown()
        let told = NIODeadline.now()
        guard let asked = self.door.stop(), told - asked < Self.silence else { return }
        // Several balancers may ask, so one question is not enough: wait for as long as all of them have asked.
        while NIODeadline.now() - told < Self.longest {
            do { try await Task.sleep(for: .milliseconds(50)) } catch { return }
        }
    }
}
