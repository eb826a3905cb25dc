import ClusterModel
import Synchronization

/// The newest grant of each subject, kept until it was ended: a woken node tries to commit by what is in here, even
/// by rights that it knows to be void.
final class GrantBook: Sendable {
    struct Grant: Sendable {
        let title: LeaseTitle
        let right: NodeRight
        fileprivate let holder: AsyncStream<Sign>.Continuation
    }

    /// What the holder of a lease has to know.
    enum Sign: Sendable {
        /// Something changed: is it still held?
        case look
        /// The database was asked to end it, and has, or had done so before.
        case ended(accepted: Bool)
    }

    private let grants = Mutex<[LeaseSubject: Grant]>([:])

    /// Notes a grant; answers what its holder waits on.
    func enter(_ title: LeaseTitle, _ right: NodeRight) -> AsyncStream<Sign> {
        // More looks than one say nothing more; an end may have one look behind it, and is not lost by that.
        let (signs, holder) = AsyncStream.makeStream(of: Sign.self, bufferingPolicy: .bufferingNewest(2))
        self.grants.withLock { $0[title.subject] = Grant(title: title, right: right, holder: holder) }
        return signs
    }

    var all: [Grant] {
        self.grants.withLock { grants in grants.values.sorted { $0.title.subject < $1.title.subject } }
    }

    func look() { for grant in self.all { grant.holder.yield(.look) } }

    /// It will not be tried again, and its holder is told.
    func ended(_ grant: Grant, accepted: Bool) {
        self.grants.withLock { grants in
            if grants[grant.title.subject]?.title == grant.title { grants[grant.title.subject] = nil }
        }
        grant.holder.yield(.ended(accepted: accepted))
    }
}
