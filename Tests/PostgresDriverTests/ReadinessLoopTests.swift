import Glibc
import ReadinessLoop
import Synchronization
import Testing

struct ReadinessLoopTests {
    private actor Resident {
        let loop: ReadinessLoop
        init(_ loop: ReadinessLoop) { self.loop = loop }
        nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }
        func isAtHome() -> Bool { self.loop.isCurrent }
    }

    private func onLoop<Answer: Sendable>(
        _ loop: ReadinessLoop, _ body: @escaping @Sendable (CheckedContinuation<Answer, Never>) -> Void
    ) async -> Answer {
        await withCheckedContinuation { continuation in
            loop.execute { body(continuation) }
        }
    }

    @Test func `an actor can live on it`() async throws {
        let loop = try ReadinessLoop(label: "test")
        #expect(await Resident(loop).isAtHome())
        #expect(!loop.isCurrent)
        loop.shutdown()
    }

    @Test func `work runs in the order in which it was given`() async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let seen = Mutex<[Int]>([])
        for number in 0..<5000 { loop.execute { seen.withLock { $0.append(number) } } }
        await self.onLoop(loop) { $0.resume() }
        #expect(seen.withLock { $0 } == Array(0..<5000))
    }

    @Test func `timers run in order, and not when cancelled`() async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let seen: [String] = await self.onLoop(loop) { continuation in
            nonisolated(unsafe) var seen: [String] = []
            loop.schedule(after: .milliseconds(20)) {
                seen.append("late")
                continuation.resume(returning: seen)
            }
            let cancelled = loop.schedule(after: .milliseconds(5)) { seen.append("cancelled") }
            for number in 0..<3 { loop.schedule(after: .milliseconds(10)) { seen.append("\(number)") } }
            cancelled.cancel()
        }
        #expect(seen.last == "late")
        #expect(Set(seen) == ["0", "1", "2", "late"])
    }

    @Test func `a watch tells of bytes and of the end`() async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        let (reader, writer) = (ends[0], ends[1])
        let seen: [String] = await self.onLoop(loop) { continuation in
            nonisolated(unsafe) var seen: [String] = []
            nonisolated(unsafe) var watch: Watch?
            watch = try? loop.watch(reader, for: .readable) { readiness in
                var byte: UInt8 = 0
                if readiness.contains(.readable), read(reader, &byte, 1) == 1 {
                    seen.append("byte \(byte)")
                    close(writer)
                } else if readiness.contains(.hungUp) {
                    seen.append("end")
                    watch?.cancel()
                    continuation.resume(returning: seen)
                }
            }
            var byte: UInt8 = 65
            _ = write(writer, &byte, 1)
        }
        close(reader)
        #expect(seen == ["byte 65", "end"])
    }

    @Test func `the end of a turn comes after its work, once`() async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let seen: [String] = await self.onLoop(loop) { continuation in
            nonisolated(unsafe) var seen: [String] = []
            loop.atEndOfTurn { seen.append("end of turn") }
            seen.append("work")
            loop.execute { loop.execute { continuation.resume(returning: seen) } }
        }
        #expect(seen == ["work", "end of turn"])
    }

    @Test func `a stopped loop says so`() async throws {
        let loop = try ReadinessLoop(label: "test")
        let ran = Mutex(false)
        loop.execute { ran.withLock { $0 = true } }
        loop.shutdown()
        try await eventually("the loop has stopped") { () async in !loop.execute {} }
        #expect(ran.withLock { $0 })
    }
}
