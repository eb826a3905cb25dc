import ClusterModel
import ClusterPorts
import Synchronization

/// What a node knows of an upload that it took, between requests; about 300 bytes and the path.
struct RememberedUpload: Sendable {
    var right: NodeRight
    var title: UploadTitle
    /// The segment's file; not open.
    var file: StagedName
    /// Where the segment begins.
    var begin: Int64
    var durable: Int64
    var digest = UploadDigest()
    /// As its row was when it was taken, without the metadata.
    var upload: Upload
}

/// One request's turn with an upload.
final class UploadTurn: Sendable {
    let upload: UploadID
    private let calls: AsyncStream<Void>
    private let call: AsyncStream<Void>.Continuation

    init(_ upload: UploadID) {
        self.upload = upload
        (self.calls, self.call) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// A newer request is there: this one ends as soon as it can.
    func end() { self.call.finish() }

    /// Returns when a newer request has come, or when the task is cancelled.
    func isCalledOff() async { for await _ in self.calls {} }
}

/// Lets requests of one upload take turns on this node, and remembers what it took.
final class UploadMemory: Sendable {
    private struct State {
        var remembered: BoundedCache<UploadID, RememberedUpload>
        var turns: [UploadID: UploadTurn] = [:]
    }

    private let state: Mutex<State>
    private let patience: Duration
    private static let pause: Duration = .milliseconds(5)

    init(limit: Int, patience: Duration) {
        self.state = Mutex(State(remembered: BoundedCache(limit: limit)))
        self.patience = patience
    }

    var count: Int { self.state.withLock { $0.remembered.count } }

    /// Waits until the request before has ended, and takes out what it left; whoever does not end in time is left
    /// behind, and nothing of it is remembered.
    ///
    /// Each turn ends with ``leave(_:remembering:)``.
    func enter(_ upload: UploadID) async -> (turn: UploadTurn, remembered: RememberedUpload?, isLate: Bool) {
        let until = ContinuousClock.now + self.patience
        let turn = UploadTurn(upload)
        while true {
            let isPatient = ContinuousClock.now < until && !Task.isCancelled
            let entered = self.state.withLock { state -> (RememberedUpload?, Bool)? in
                if let other = state.turns[upload] {
                    other.end()
                    guard !isPatient else { return nil }
                    state.remembered.forget(upload)
                    state.turns[upload] = turn
                    return (nil, true)
                }
                let found = state.remembered.value(upload)
                state.remembered.forget(upload)
                state.turns[upload] = turn
                return (found, false)
            }
            if let (found, isLate) = entered { return (turn, found, isLate) }
            try? await Task.sleep(for: Self.pause)
        }
    }

    func leave(_ turn: UploadTurn, remembering left: RememberedUpload?) {
        self.state.withLock { state in
            guard state.turns[turn.upload] === turn else { return }
            state.turns[turn.upload] = nil
            if let left { state.remembered.keep(left, for: turn.upload) }
        }
    }
}
