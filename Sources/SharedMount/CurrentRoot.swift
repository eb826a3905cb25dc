import ClusterPorts
import Synchronization

/// Which root the calls work in: opened at the first call, replaced or refused by what a probe finds.
final class CurrentRoot: Sendable {
    private enum State {
        /// Goes to `open` or `lost`.
        case unopened
        /// Goes to `open` (another one, after a remount) or `lost`.
        case open(MountRoot)
        /// A probe found no mount or a foreign one. Goes to `open` by a probe that finds the right one.
        case lost(String)
    }

    private let path: String
    private let emulating: Bool
    private let state = Mutex(State.unopened)

    init(path: String, emulating: Bool) {
        self.path = path
        self.emulating = emulating
    }

    /// Nil when it would have to be opened first, or is lost.
    var ready: MountRoot? {
        if case .open(let root) = self.state.withLock({ $0 }) { return root }
        return nil
    }

    /// Blocks while it opens.
    func get() throws(VaultError) -> MountRoot {
        switch self.state.withLock({ $0 }) {
        case .open(let root): return root
        case .lost(let why): throw .foreign(why)
        case .unopened: break
        }
        let opened = try MountRoot(path: self.path, emulating: self.emulating)
        let result: Result<MountRoot, VaultError> = self.state.withLock { state in
            switch state {
            case .open(let root): return .success(root)
            case .lost(let why): return .failure(.foreign(why))
            case .unopened:
                state = .open(opened)
                return .success(opened)
            }
        }
        return try result.get()
    }

    /// Opens the path again and compares what is there; blocks.
    func look(expecting identity: MountIdentity) throws(VaultError) {
        let fresh: MountRoot
        do throws(VaultError) {
            fresh = try MountRoot(path: self.path, emulating: self.emulating)
            guard let found = try fresh.identity() else {
                throw VaultError.foreign("no cluster's identity is on the mount: is it mounted?")
            }
            guard found == identity else {
                throw VaultError.foreign(
                    "the mount belongs to cluster \(found.cluster), nonce \(found.nonce)")
            }
        } catch {
            if case .foreign(let why) = error { self.state.withLock { $0 = .lost(why) } }
            throw error
        }
        let root: MountRoot = self.state.withLock { state in
            if case .open(let root) = state, root.isSame(as: fresh) { return root }
            state = .open(fresh)
            return fresh
        }
        try root.checkWritable()
    }
}
