import PostgresDriver
import ReadinessLoop
import Synchronization
import Testing

/// Whatever a server says: never a crash, never a hang, never a made-up success.
struct MalformedReplyTests {
    /// The same bytes for the same seed.
    private struct Bytes: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            self.state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = self.state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    private static func noise(_ count: Int, _ random: inout Bytes) -> [UInt8] {
        (0..<count).map { _ in .random(in: 0...255, using: &random) }
    }

    /// Noise, real messages with wrong lengths, truncated ones, and ones in the wrong order.
    private static func garbage(_ seed: UInt64) -> [UInt8] {
        var random = Bytes(state: seed)
        let letters = Array("123CDEIKNRSTZtsAGHWVcdn")
        let letter = letters[Int.random(in: 0..<letters.count, using: &random)]
        let content = Self.noise(Int.random(in: 0..<60, using: &random), &random)
        switch seed % 6 {
        case 0: return Self.noise(Int.random(in: 1..<400, using: &random), &random)
        case 1:
            return FakeServer.message(letter, content, length: .random(in: 0...UInt32.max, using: &random))
        case 2: return FakeServer.message(letter, content, length: .random(in: 0...8, using: &random))
        case 3: return Array(FakeServer.message(letter, content).dropLast(1 + content.count / 2))
        case 4:
            return (0..<20).flatMap { _ in
                FakeServer.message(letters[Int.random(in: 0..<letters.count, using: &random)], content)
            } + FakeServer.ready
        default: return FakeServer.message(letter, content) + FakeServer.ready + FakeServer.ready
        }
    }

    @Test(arguments: [true, false])
    func `six hundred kinds of nonsense end in an error in time, on a shared loop`(greets: Bool) async throws
    {
        let seed = Mutex<UInt64>(0)
        let server = try FakeServer(greets: greets) {
            Self.garbage(
                seed.withLock { seed in
                    seed += 1
                    return seed
                })
        }
        defer { server.close() }
        let configuration = server.configuration
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let before = try openDescriptors()
        let failed = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    var failed = 0
                    for _ in 0..<30 {
                        let error = await failure {
                            let connection = try await PostgresConnection.connect(
                                configuration, loop: loop, logger: TestServer.logger)
                            let answer = await failure {
                                _ = try await connection.query("select 1", deadline: .milliseconds(300))
                            }
                            await connection.close()
                            if let answer { throw answer }
                        }
                        if error != nil { failed += 1 }
                    }
                    return failed
                }
            }
            return await group.reduce(0, +)
        }
        #expect(failed == 600)
        try await eventually("the descriptors are closed") { try openDescriptors() <= before + 2 }
    }

    @Test func `nonsense ends in an error in time on a thread of its own`() throws {
        let seed = Mutex<UInt64>(1_000)
        let server = try FakeServer {
            Self.garbage(
                seed.withLock { seed in
                    seed += 1
                    return seed
                })
        }
        defer { server.close() }
        for _ in 0..<120 {
            #expect(throws: PostgresError.self) {
                let connection = try BlockingPostgresConnection(server.configuration, deadline: .seconds(1))
                _ = try connection.query("select 1", deadline: .milliseconds(100))
            }
        }
    }

    @Test func `a pool among nonsense answers everybody within the deadline`() async throws {
        let seed = Mutex<UInt64>(5_000)
        let server = try FakeServer {
            Self.garbage(
                seed.withLock { seed in
                    seed += 1
                    return seed
                })
        }
        defer { server.close() }
        let configuration = try changed {
            $0.server = server.configuration
            $0.stallLimit = .milliseconds(100)
        }
        try await withPool(configuration) { pool in
            let failed = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<300 {
                    group.addTask {
                        await failure { _ = try await pool.query("select 1", deadline: .seconds(2)) } == nil
                            ? 0 : 1
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(failed == 300)
        }
    }
}
