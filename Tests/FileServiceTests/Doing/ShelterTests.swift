import FileService
import Testing

struct ShelterTests {
    /// Runs the body while the shelter is open.
    private func open(_ shelter: Shelter, _ body: @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { await shelter.run() }
            while await self.isClosed(shelter) { await Task.yield() }
            try await body()
            group.cancelAll()
        }
    }

    private func isClosed(_ shelter: Shelter) async -> Bool {
        do {
            return try await shelter.perform { false }
        } catch {
            return true
        }
    }

    @Test func `work goes on when its caller is cancelled`() async throws {
        let shelter = Shelter(limit: 10)
        try await self.open(shelter) {
            let (started, start) = AsyncStream.makeStream(of: Void.self)
            let (released, release) = AsyncStream.makeStream(of: Void.self)
            let done = Shared(false)
            await withTaskGroup { group in
                group.addTask {
                    _ = try? await shelter.perform {
                        start.yield()
                        for await _ in released { break }
                        done.change { $0 = !Task.isCancelled }
                    }
                }
                for await _ in started { break }
                group.cancelAll()
                release.yield()
            }
            #expect(done.value)
        }
    }

    @Test func `a closed shelter and a full one refuse`() async throws {
        let shelter = Shelter(limit: 1)
        await #expect(throws: FileServiceError.self) { try await shelter.perform { 1 } }
        try await self.open(shelter) {
            let (released, release) = AsyncStream.makeStream(of: Void.self)
            let (started, start) = AsyncStream.makeStream(of: Void.self)
            try await withThrowingTaskGroup { group in
                group.addTask {
                    try await shelter.perform {
                        start.yield()
                        for await _ in released { break }
                    }
                }
                for await _ in started { break }
                await #expect(throws: FileServiceError.tooBusy(retryAfterSeconds: 1)) {
                    try await shelter.perform { 1 }
                }
                release.yield()
                try await group.waitForAll()
            }
        }
    }

    @Test func `one fetches while others wait for the answer`() async throws {
        let flight = SingleFlight<String, Int>()
        let fetches = Shared(0)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        let answers = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    try await flight.value("x") {
                        fetches.change { $0 += 1 }
                        for await _ in released { break }
                        return 7
                    }
                }
            }
            while fetches.value == 0 { await Task.yield() }
            for _ in 0..<1_000 { await Task.yield() }
            for _ in 0..<10 { release.yield() }
            var all: [Int] = []
            for try await answer in group { all.append(answer) }
            return all
        }
        #expect(answers == [Int](repeating: 7, count: 10))
        #expect(fetches.value < 10)
    }
}
