import CLinux
import Glibc

/// What a descriptor is ready for, or what somebody waits for.
package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let readable = Readiness(rawValue: UInt32(FLOTILLA_READABLE))
    package static let writable = Readiness(rawValue: UInt32(FLOTILLA_WRITABLE))
    /// The other side is gone or the descriptor failed; reported whether asked for or not.
    package static let hungUp = Readiness(rawValue: UInt32(FLOTILLA_HUNG_UP))
    package static let readableAndWritable = Readiness(
        rawValue: UInt32(FLOTILLA_READABLE | FLOTILLA_WRITABLE))

    /// Whether reading brings something, and be it the end.
    ///
    /// By bits: a set literal costs more than the read itself,
    /// since generic code is not specialised across modules.
    package var hasInput: Bool { self.rawValue & UInt32(FLOTILLA_READABLE | FLOTILLA_HUNG_UP) != 0 }
    package var hasRoom: Bool { self.rawValue & UInt32(FLOTILLA_WRITABLE) != 0 }
}

/// One descriptor that the loop waits for; belongs to the loop's thread.
///
/// Level-triggered: the handler is called each turn until it has taken what made the descriptor ready. Cancel
/// it before the descriptor is closed. An uncancelled watch lives as long as its loop.
package final class Watch {
    private let loop: ReadinessLoop
    private let descriptor: CInt
    private let token: UInt64
    private(set) package var interest: Readiness
    private(set) var handler: (Readiness) -> Void
    private var isCancelled = false

    init(
        loop: ReadinessLoop, descriptor: CInt, token: UInt64, interest: Readiness,
        handler: @escaping (Readiness) -> Void
    ) {
        self.loop = loop
        self.descriptor = descriptor
        self.token = token
        self.interest = interest
        self.handler = handler
    }

    /// Changes what is waited for; costs nothing when it is the same.
    package func change(to interest: Readiness) {
        self.loop.preconditionOnLoop()
        guard !self.isCancelled, interest != self.interest else { return }
        self.interest = interest
        let code = flotilla_epoll_change(self.loop.epoll, self.descriptor, interest.rawValue, self.token)
        precondition(code == 0, "epoll cannot change descriptor \(self.descriptor): errno \(errno)")
    }

    /// Ends the watch; the handler is not called again, not even for an event that was already seen.
    package func cancel() {
        self.loop.preconditionOnLoop()
        guard !self.isCancelled else { return }
        self.isCancelled = true
        self.handler = { _ in }
        unsafe self.loop.confined.watches[self.token] = nil
        // A descriptor that its library has closed behind our back has left the epoll by itself.
        _ = flotilla_epoll_remove(self.loop.epoll, self.descriptor)
    }
}

extension ReadinessLoop {
    /// Calls `handler` on the loop's thread whenever the descriptor is ready; loop's thread only.
    ///
    /// - Throws: when the descriptor cannot be waited for: not open, watched already, or a plain file.
    package func watch(
        _ descriptor: CInt, for interest: Readiness, handler: @escaping (Readiness) -> Void
    ) throws(ReadinessLoopError) -> Watch {
        self.preconditionOnLoop()
        let confined = unsafe self.confined
        confined.lastToken += 1
        let token = confined.lastToken
        guard flotilla_epoll_add(self.epoll, descriptor, interest.rawValue, token) == 0 else {
            throw ReadinessLoopError(action: "watch descriptor \(descriptor)", code: errno)
        }
        let watch = Watch(
            loop: self, descriptor: descriptor, token: token, interest: interest, handler: handler)
        confined.watches[token] = watch
        return watch
    }
}
