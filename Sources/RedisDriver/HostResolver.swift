import Glibc
import ReadinessLoop
import Synchronization

/// Turns a host's name into numeric addresses on a thread of its own, since the C library blocks while it
/// asks.
///
/// At most `questionsMax` threads at a time: while so many old questions are not answered, a new one is
/// refused.
final class HostResolver: Sendable {
    private let loop: ReadinessLoop
    private let questions = Mutex(0)

    /// The calls' connection and some subscriptions may ask at the same time.
    private static let questionsMax = 8

    init(loop: ReadinessLoop) {
        self.loop = loop
    }

    /// The host as often as it has addresses, in the order the C library prefers; never none.
    func addresses(
        of host: String, port: Int, before deadline: ContinuousClock.Instant
    ) async throws(RedisError) -> [ServerAddress] {
        guard !isNumericHost(host) else {
            return [ServerAddress(place: .tcp(host: host, port: port), name: host)]
        }
        let mayStart = self.questions.withLock { questions in
            guard questions < Self.questionsMax else { return false }
            questions += 1
            return true
        }
        guard mayStart else {
            throw .unavailable("\(Self.questionsMax) names are still being resolved, \(host) has to wait")
        }
        let question = Question(host: host) { self.questions.withLock { $0 -= 1 } }
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                question.ask(continuation)
                self.loop.execute {
                    self.loop.schedule(at: deadline) {
                        question.answer(.failure(.unavailable("the name \(host) was not resolved in time")))
                    }
                }
            }
        } onCancel: {
            question.answer(.failure(.cancelled))
        }
        let numeric = try answer.get()
        guard !numeric.isEmpty else { throw .unavailable("the name \(host) has no address") }
        return numeric.map { ServerAddress(place: .tcp(host: $0, port: port), name: host) }
    }
}

/// One name, the thread that asks for it, and whoever waits.
private final class Question: Sendable {
    typealias Answer = Result<[String], RedisError>

    private enum State {
        case notAsked
        case waiting(CheckedContinuation<Answer, Never>)
        case answered
    }

    let host: String
    private let state = Mutex(State.notAsked)
    private let threadEnded: @Sendable () -> Void

    init(host: String, threadEnded: @escaping @Sendable () -> Void) {
        self.host = host
        self.threadEnded = threadEnded
    }

    func ask(_ continuation: CheckedContinuation<Answer, Never>) {
        let isCancelled = self.state.withLock { state in
            guard case .notAsked = state else { return true }
            state = .waiting(continuation)
            return false
        }
        if isCancelled {
            self.threadEnded()
            return continuation.resume(returning: .failure(.cancelled))
        }
        let retained = unsafe Unmanaged.passRetained(self)
        var handle = pthread_t()
        let code = unsafe pthread_create(
            &handle, nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                let question = unsafe Unmanaged<Question>.fromOpaque(raw).takeRetainedValue()
                question.answer(numericAddresses(of: question.host))
                question.threadEnded()
                return nil
            }, retained.toOpaque())
        guard code == 0 else {
            unsafe retained.release()
            self.threadEnded()
            return self.answer(.failure(.unavailable("no thread to resolve \(self.host)")))
        }
        pthread_detach(handle)
    }

    /// The first answer counts.
    func answer(_ answer: Answer) {
        let continuation: CheckedContinuation<Answer, Never>? = self.state.withLock { state in
            defer { state = .answered }
            guard case .waiting(let continuation) = state else { return nil }
            return continuation
        }
        continuation?.resume(returning: answer)
    }
}

func isNumericHost(_ host: String) -> Bool {
    var four = in_addr()
    var six = in6_addr()
    return unsafe inet_pton(AF_INET, host, &four) == 1 || inet_pton(AF_INET6, host, &six) == 1
}

private func numericAddresses(of host: String) -> Result<[String], RedisError> {
    var hints = unsafe addrinfo()
    unsafe hints.ai_family = AF_UNSPEC
    unsafe hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = unsafe getaddrinfo(host, nil, &hints, &list)
    guard code == 0 else {
        return .failure(
            .unavailable("the name \(host) has no address: \(unsafe String(cString: gai_strerror(code)))"))
    }
    defer { unsafe freeaddrinfo(list) }
    var addresses: [String] = []
    var next = unsafe list
    while let entry = unsafe next {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let size = socklen_t(text.count)
        if unsafe getnameinfo(
            entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, size, nil, 0, NI_NUMERICHOST) == 0
        {
            addresses.append(
                String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
        }
        unsafe next = entry.pointee.ai_next
    }
    return .success(addresses)
}
