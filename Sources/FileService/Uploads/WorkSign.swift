import ClusterModel
import ClusterPorts
import Synchronization

/// Says again and again that this node works on an upload's bytes, so that whoever asks for it waits instead of taking
/// it away.
final class WorkSign: Sendable {
    private struct State {
        var isSaid = false
        var isLost = false
    }

    private let title: UploadTitle
    private let right: NodeRight
    private let store: any UploadStore
    private let state = Mutex(State())

    init(_ title: UploadTitle, _ right: NodeRight, store: any UploadStore) {
        self.title = title
        self.right = right
        self.store = store
    }

    /// Somebody else has the upload by now: whatever is done is for nothing.
    var isLost: Bool { self.state.withLock { $0.isLost } }

    /// What the database does not answer is said again with the next one.
    func say() async {
        self.state.withLock { $0.isSaid = true }
        guard let isOurs = try? await self.store.work(self.title, isOn: true, by: self.right) else { return }
        if !isOurs { self.state.withLock { $0.isLost = true } }
    }

    /// Nobody has to wait any more.
    func withdraw() async {
        guard self.state.withLock({ $0.isSaid && !$0.isLost }) else { return }
        _ = try? await self.store.work(self.title, isOn: false, by: self.right)
    }
}

extension UploadService {
    /// Does work that can last, and says so after `first`.
    func working<Value: Sendable>(
        on title: UploadTitle, _ right: NodeRight, sayingAfter first: Duration,
        _ work: (WorkSign) async -> Value
    ) async -> Value {
        let sign = WorkSign(title, right, store: self.store)
        let pause = self.limits.workSaidEach
        let value = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await Task.sleep(for: first)
                    while !sign.isLost {
                        await sign.say()
                        try await Task.sleep(for: pause)
                    }
                } catch {}
            }
            let value = await work(sign)
            group.cancelAll()
            return value
        }
        await sign.withdraw()
        return value
    }
}
