import CLinux
import Foundation
import Synchronization

/// A child process in a session of its own, which the kernel ends when we die.
///
/// Each child has a thread that spawns it and lives until it has ended: the kernel's death signal is bound to
/// the spawning thread, not to the process.
package final class ChildProcess: Sendable {
    /// How a process ended.
    package enum End: Sendable, Equatable, CustomStringConvertible {
        case exited(Int32)
        case killed(signal: Int32)

        package var description: String {
            switch self {
            case .exited(let code): "exit code \(code)"
            case .killed(let signal): "signal \(signal)"
            }
        }

        /// From the status word of wait(2).
        package init(status: Int32) {
            self = status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: status & 0x7f)
        }
    }

    /// The program could not be started.
    package struct StartError: Error, CustomStringConvertible {
        package var description: String
    }

    package struct StopStep: Sendable {
        var signal: Int32
        var patience: Duration
        package init(signal: Int32, patience: Duration) {
            self.signal = signal
            self.patience = patience
        }
    }

    package let pid: Int32
    private let result = Mutex<End?>(nil)
    private let ends: AsyncStream<End>
    private let announce: AsyncStream<End>.Continuation

    private init(pid: Int32) {
        self.pid = pid
        (self.ends, self.announce) = AsyncStream.makeStream(
            of: End.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Starts a program; throws `StartError` when it cannot be executed.
    package static func start(_ command: ChildCommand) async throws -> ChildProcess {
        try await withCheckedThrowingContinuation { continuation in
            onThread {
                switch spawn(command) {
                case .failure(let error): continuation.resume(throwing: error)
                case .success(let pid):
                    let child = ChildProcess(pid: pid)
                    continuation.resume(returning: child)
                    child.reap()
                }
            }
        }
    }

    /// How it ended; nil while it runs.
    package var ending: End? { self.result.withLock { $0 } }

    /// Waits for the end; nil when the task is cancelled first.
    ///
    /// One caller at a time.
    package func ended() async -> End? {
        if let ending = self.ending { return ending }
        for await end in self.ends { return end }
        return self.ending
    }

    /// Sends a signal, unless it has ended.
    package func signal(_ number: Int32) {
        self.result.withLock { end in
            if end == nil { kill(self.pid, number) }  // Not reaped, so the id is still its own.
        }
    }

    /// Sends one signal after the other until it has ended; cancellation does not cut this short.
    package func stop(_ steps: [StopStep]) async {
        await withCheckedContinuation { continuation in
            onThread {
                for step in steps where self.ending == nil {
                    self.signal(step.signal)
                    self.signal(SIGCONT)  // A paused process could not obey.
                    let deadline = ContinuousClock.now.advanced(by: step.patience)
                    while self.ending == nil, ContinuousClock.now < deadline { usleep(5_000) }
                }
                continuation.resume()
            }
        }
    }

    private func reap() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(self.pid), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        let end = self.result.withLock { end in
            var status: Int32 = 0
            while waitpid(self.pid, &status, 0) < 0, errno == EINTR {}
            let known = End(status: status)
            end = known
            return known
        }
        self.announce.yield(end)
        self.announce.finish()
    }
}

private func onThread(_ body: @escaping @Sendable () -> Void) {
    let thread = Thread(block: body)
    thread.stackSize = 512 << 10
    thread.start()
}

private func spawn(_ command: ChildCommand) -> Result<Int32, ChildProcess.StartError> {
    var output: Int32 = -1
    if let log = command.output {
        output = log.open()
        guard output >= 0 else {
            return .failure(.init(description: "cannot open \(log.path): \(systemReason())"))
        }
    }
    defer { if output >= 0 { close(output) } }
    let arguments = ([command.title ?? command.executable] + command.arguments).map { strdup($0) } + [nil]
    let environment = command.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in arguments + environment { free(text) } }
    let pid = command.executable.withCString { path in
        withOptionalCString(command.folder) { folder in
            arguments.withUnsafeBufferPointer { argv in
                environment.withUnsafeBufferPointer { envp in
                    var child = flotilla_child()
                    child.path = path
                    child.arguments = argv.baseAddress
                    child.environment = envp.baseAddress
                    child.folder = folder
                    child.output = output
                    child.death_signal = command.deathSignal
                    child.new_session = true
                    child.change_user = command.user != nil
                    child.user = command.user?.id ?? 0
                    child.group = command.user?.group ?? 0
                    return flotilla_spawn(&child)
                }
            }
        }
    }
    guard pid > 0 else {
        return .failure(.init(description: "cannot run \(command.executable): \(systemReason())"))
    }
    return .success(pid)
}

private func withOptionalCString<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result
{
    guard let text else { return body(nil) }
    return text.withCString { body($0) }
}
