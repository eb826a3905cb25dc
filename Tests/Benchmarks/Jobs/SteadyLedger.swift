import ArgumentParser
import ClusterModel
import ClusterPorts
import Foundation
import Glibc
import Synchronization

/// Counts what was sent, answered and run, and writes it down; it is the handler as well, and does nothing else.
final class SteadyLedger: JobHandler {
    private struct State {
        var sent = 0
        var answered = 0
        var runs = 0
        /// Jobs that were run at least once.
        var ran: Set<JobID> = []
        var isStopped = false
    }

    let kind: JobKind
    private let journal: SteadyJournal
    private let state = Mutex(State())

    init(_ journal: SteadyJournal, kind: JobKind) {
        self.journal = journal
        self.kind = kind
    }

    /// Nothing more is to be sent.
    func stop() { self.state.withLock { $0.isStopped = true } }

    var isStopped: Bool { self.state.withLock { $0.isStopped } }

    func sent() { self.state.withLock { $0.sent += 1 } }

    func answered(_ number: Int, _ job: JobID) {
        self.state.withLock { $0.answered += 1 }
        self.journal.write("enqueued \(number) \(job)")
    }

    func run(_ job: ClaimedJob, _ desk: any JobDesk) async -> JobEnd {
        self.state.withLock { state in
            state.runs += 1
            state.ran.insert(job.title.job)
        }
        self.journal.write("ran \(job.title.job) \(job.title.epoch)")
        return .done(note: nil)
    }

    /// Submissions that have no answer yet.
    var open: Int { self.state.withLock { $0.sent - $0.answered } }

    var count: Int { self.state.withLock { $0.answered } }

    var hasRunAll: Bool { self.state.withLock { $0.ran.count >= $0.answered } }

    func line(done: Int) -> String {
        self.state.withLock { "\($0.sent) \($0.answered) \($0.runs) \(done)" }
    }

    func close() { self.journal.close() }
}

/// A file of lines; nothing of it has to survive a crash of this process, which would end the measurement.
final class SteadyJournal: Sendable {
    private let lines = Mutex<[String]>([])
    private let file: FileHandle
    private static let kept = 1_000

    init(_ path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw ValidationError("\(path) cannot be written") }
        self.file = file
    }

    func write(_ line: String) {
        self.lines.withLock { lines in
            lines.append(line)
            if lines.count >= Self.kept { self.flush(&lines) }
        }
    }

    func close() {
        self.lines.withLock { self.flush(&$0) }
        try? self.file.close()
    }

    private func flush(_ lines: inout [String]) {
        self.file.write(Data((lines.joined(separator: "\n") + "\n").utf8))
        lines.removeAll(keepingCapacity: true)
    }
}

/// A line on standard output with the moment that all processes of a machine have in common.
enum SteadyLine {
    static func say(_ text: String) {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let nanoseconds = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        FileHandle.standardOutput.write(Data("\(nanoseconds) \(text)\n".utf8))
    }
}
