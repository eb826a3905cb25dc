import ClusterPorts
import Synchronization

/// A folder that is being copied into staging.
final class PosixFolderCopy: FolderCopy {
    let name: StagedName
    private let work: Mutex<TreeCopy?>
    private let calls: BlockingCalls

    init(name: StagedName, work: TreeCopy, calls: BlockingCalls) {
        self.name = name
        self.work = Mutex(work)
        self.calls = calls
    }

    deinit { self.closeLater() }

    func step() async throws(VaultError) -> FolderCopyStep {
        guard let work = self.take() else {
            throw .failed("staging \(self.name) is being written by somebody else, or is over")
        }
        let name = self.name
        let (after, step) = try await self.calls.run { () throws(VaultError) in
            var work = work
            let step = try naming("staging \(name)") { () throws(SystemFailure) in try work.step() }
            return (work, step)
        }
        switch step {
        case .more:
            self.work.withLock { $0 = after }
            return .more(after.count)
        case .done(let identity):
            return .done(StagedIdentity(name: name, identity: identity), after.count)
        case .tooLarge(let what): return .tooLarge(what)
        case .changing(let path): return .changing(path)
        }
    }

    func close() async { self.closeLater() }

    private func take() -> TreeCopy? {
        self.work.withLock { work in
            defer { work = nil }
            return work
        }
    }

    /// On a thread, since closing may talk to a server.
    private func closeLater() {
        guard let old = self.take() else { return }
        self.calls.runLater { withExtendedLifetime(old) {} }
    }
}
