import CSendCork
import Glibc
import PostgresDriver
import ReadinessLoop
import Testing

struct SendCorkTests {
    /// The `send` that every library of the process finds, libpq too.
    private typealias Send = @convention(c) (CInt, UnsafeRawPointer, Int, CInt) -> Int

    private func connectedPair() throws -> [CInt] {
        var ends: [CInt] = [0, 0]
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
        return ends
    }

    private func received(_ descriptor: CInt) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return Array(bytes.prefix(max(count, 0)))
    }

    @Test func `what libraries send is collected, in order, until it is flushed`() throws {
        let send = unsafeBitCast(try #require(dlsym(nil, "send")), to: Send.self)
        let ends = try self.connectedPair()
        defer { for end in ends { close(end) } }
        let cork = try #require(flotilla_cork_create(ends[0], 8))
        defer { flotilla_cork_destroy(cork) }

        flotilla_cork_hold(cork)
        #expect(send(ends[0], [1, 2, 3] as [UInt8], 3, 0) == 3)
        #expect(send(ends[0], [4] as [UInt8], 1, 0) == 1)
        #expect(send(ends[1], [9] as [UInt8], 1, 0) == 1, "another descriptor is none of the cork's business")
        flotilla_cork_release(nil)
        #expect(self.received(ends[1]) == [])
        #expect(self.received(ends[0]) == [9])
        #expect(!flotilla_cork_is_empty(cork))

        #expect(flotilla_cork_flush(cork) == 0)
        #expect(flotilla_cork_is_empty(cork))
        #expect(self.received(ends[1]) == [1, 2, 3, 4])
    }

    @Test func `this program's send is the one that libraries find`() {
        #expect(flotilla_cork_is_in_place())
    }

    @Test func `holds nest`() throws {
        let send = unsafeBitCast(try #require(dlsym(nil, "send")), to: Send.self)
        let (outer, inner) = (try self.connectedPair(), try self.connectedPair())
        defer { for end in outer + inner { close(end) } }
        let corks = try [outer, inner].map { try #require(flotilla_cork_create($0[0], 8)) }
        defer { for cork in corks { flotilla_cork_destroy(cork) } }

        #expect(flotilla_cork_hold(corks[0]) == nil)
        let before = flotilla_cork_hold(corks[1])
        #expect(before == corks[0])
        #expect(send(inner[0], [1] as [UInt8], 1, 0) == 1)
        flotilla_cork_release(before)
        #expect(send(outer[0], [2] as [UInt8], 1, 0) == 1)
        #expect(send(inner[0], [3] as [UInt8], 1, 0) == 1, "not held any more")
        flotilla_cork_release(nil)
        #expect(corks.allSatisfy { !flotilla_cork_is_empty($0) })
        #expect(self.received(outer[1]) == [])
        #expect(self.received(inner[1]) == [3])
    }

    @Test func `more than the cork holds overtakes nothing`() throws {
        let send = unsafeBitCast(try #require(dlsym(nil, "send")), to: Send.self)
        let ends = try self.connectedPair()
        defer { for end in ends { close(end) } }
        let cork = try #require(flotilla_cork_create(ends[0], 4))
        defer { flotilla_cork_destroy(cork) }

        flotilla_cork_hold(cork)
        defer { flotilla_cork_release(nil) }
        #expect(send(ends[0], [1, 2, 3] as [UInt8], 3, 0) == 3)
        #expect(send(ends[0], [4, 5, 6, 7, 8, 9] as [UInt8], 6, 0) == 6)
        #expect(send(ends[0], [10] as [UInt8], 1, 0) == 1)
        #expect(flotilla_cork_flush(cork) == 0)
        #expect(self.received(ends[1]) == Array(1...10))
    }

    @Test func `a full cork whose socket takes nothing makes the sender wait`() throws {
        let send = unsafeBitCast(try #require(dlsym(nil, "send")), to: Send.self)
        let ends = try self.connectedPair()
        defer { for end in ends { close(end) } }
        let cork = try #require(flotilla_cork_create(ends[0], 4))
        defer { flotilla_cork_destroy(cork) }
        let block = [UInt8](repeating: 0, count: 1 << 16)
        while send(ends[0], block, block.count, 0) > 0 {}

        flotilla_cork_hold(cork)
        defer { flotilla_cork_release(nil) }
        #expect(send(ends[0], [1, 2, 3, 4] as [UInt8], 4, 0) == 4)
        #expect(send(ends[0], [5] as [UInt8], 1, 0) == -1)
        #expect(errno == EAGAIN)
        #expect(flotilla_cork_flush(cork) == 1)
    }

    @Test func `statements of every size share a pipeline and keep apart`() async throws {
        try await withPool(changed { $0.connections = 1 }) { pool in
            let sizes = (0..<200).map { $0 % 7 == 3 ? 300_000 : $0 }
            let lengths = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                for (index, size) in sizes.enumerated() {
                    group.addTask {
                        let text = String(repeating: "x", count: size)
                        let rows = try await pool.query("select length(\(text)::text)::int8")
                        return (index, try rows.exactlyOne()[0, as: Int.self])
                    }
                }
                var lengths = sizes.map { _ in -1 }
                for try await (index, length) in group { lengths[index] = length }
                return lengths
            }
            #expect(lengths == sizes)
        }
    }

    @Test func `an error among many statements of one write touches no neighbour`() async throws {
        try await withPool(changed { $0.connections = 1 }) { pool in
            let answers = await withTaskGroup(of: Bool.self) { group in
                for index in 0..<64 {
                    group.addTask {
                        let divisor = index % 2
                        let error = await failure { _ = try await pool.query("select 1 / \(divisor)") }
                        return (error?.sqlState == "22012") == (divisor == 0)
                            && (error == nil) == (divisor == 1)
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers == Array(repeating: true, count: 64))
        }
    }

    @Test func `a task on the loop gets its answer on the loop`() async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let pool = try PostgresPool(changed { $0.connections = 1 }, loop: loop, logger: TestServer.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            defer { group.cancelAll() }
            let task = Task(executorPreference: LoopTaskExecutor(loop)) {
                var places = [loop.isCurrent]
                for number in 0..<100 {
                    let rows = try await pool.query("select \(number)")
                    #expect(try rows.exactlyOne()[0, as: Int.self] == number)
                    places.append(loop.isCurrent)
                }
                return places
            }
            let places = try await task.value
            #expect(places == Array(repeating: true, count: 101))
            #expect(!loop.isCurrent)
        }
    }
}
