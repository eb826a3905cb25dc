import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization

/// Asks the workers twice a second whether they are ready.
final class HealthProbes: Sendable {
    private struct State {
        var watched: [LocalChild: Int] = [:]
        var answers: [LocalChild: Bool] = [:]
    }
    private let state = Mutex(State())

    /// Says whom to ask from now on, and at which port.
    func watch(_ ports: [LocalChild: Int]) { self.state.withLock { $0.watched = ports } }

    /// What was answered since the last call.
    func answers() -> [LocalClusterPlan.Event] {
        let answers = self.state.withLock { state in
            defer { state.answers = [:] }
            return state.answers
        }
        return answers.map { .answered($0, $1) }
    }

    /// Asks until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            let watched = self.state.withLock { $0.watched }
            await withTaskGroup(of: Void.self) { group in
                for (child, port) in watched {
                    group.addTask {
                        let isReady = await Self.isReady(port: port)
                        self.state.withLock { if $0.watched[child] == port { $0.answers[child] = isReady } }
                    }
                }
            }
            try? await Task.sleep(for: .milliseconds(watched.isEmpty ? 100 : 500))
        }
    }

    static func isReady(port: Int) async -> Bool {
        let request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/health/ready")
        guard let response = try? await HTTPClient.shared.execute(request, timeout: .seconds(1)) else {
            return false
        }
        _ = try? await response.body.collect(upTo: 64 << 10)
        return response.status == .ok
    }
}
