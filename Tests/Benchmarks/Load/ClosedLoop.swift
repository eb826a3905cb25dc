import ReadinessLoop

/// Tasks that each ask again as soon as they have their answer.
struct ClosedLoop {
    let options: LoadOptions
    /// Where the tasks run; nil means Swift's own threads.
    let executor: (any TaskExecutor)?

    init(_ options: LoadOptions, on loop: ReadinessLoop) {
        self.options = options
        self.executor = options.onLoop ? LoopTaskExecutor(loop) : nil
    }

    /// One operation of one task; false when it was answered with "absent", which counts as a miss.
    typealias Operation = @Sendable (inout SplitMix) async throws -> Bool

    /// Warms up, measures, and says what was seen.
    ///
    /// - Throws: what an operation throws first; the others end then.
    func measure(_ operation: @escaping Operation) async throws -> Measurement {
        let warmUp = try await self.run(for: .seconds(self.options.warmUp), operation)
        let before = ProcessUsage.now
        let started = ContinuousClock.now
        var course = try await self.run(for: .seconds(self.options.seconds), operation)
        let elapsed = started.duration(to: .now) / .seconds(1)
        course.before = warmUp.operations
        return Measurement(
            course: course, seconds: elapsed,
            cpuSeconds: ProcessUsage.now.cpuSeconds - before.cpuSeconds)
    }

    private func run(for duration: Duration, _ operation: @escaping Operation) async throws -> Course {
        guard duration > .zero else { return Course() }
        let end = ContinuousClock.now.advanced(by: duration)
        return try await withThrowingTaskGroup(of: Course.self) { group in
            for number in 0..<self.options.tasks {
                group.addTask(executorPreference: self.executor) {
                    try await Self.one(number, until: end, operation)
                }
            }
            return try await group.reduce(into: Course()) { $0.add($1) }
        }
    }

    /// One reading of the clock an operation: the end of one is the beginning of the next.
    private static func one(
        _ number: Int, until end: ContinuousClock.Instant, _ operation: Operation
    ) async throws -> Course {
        var course = Course()
        var random = SplitMix(seed: UInt64(number) &+ .random(in: 0...UInt64.max))
        var now = ContinuousClock.now
        while now < end {
            let isAnswered = try await operation(&random)
            let after = ContinuousClock.now
            course.operations += 1
            if !isAnswered { course.misses += 1 }
            course.latencies.record(now.duration(to: after))
            now = after
        }
        return course
    }
}

/// What some tasks did.
struct Course {
    var operations = 0
    /// Operations before the measured time; the servers have worked for them too.
    var before = 0
    var misses = 0
    var latencies = LatencyHistogram()

    mutating func add(_ other: Course) {
        self.operations += other.operations
        self.misses += other.misses
        self.latencies.add(other.latencies)
    }
}

/// A course with its time and what it cost this process.
struct Measurement {
    var course: Course
    /// From the first operation's start to the last one's end.
    let seconds: Double
    /// User and system time of this process.
    let cpuSeconds: Double
}
