import Logging
import PostgresDriver
import ReadinessLoop
import RedisDriver

/// What the exercises share: a pool and a client that live through all of them, as a node's do.
struct Surroundings: Sendable {
    static let poolName = "leak-check-pool"
    static let table = "leak_check_rows"

    let postgres: PostgresConfiguration
    let redis: RedisConfiguration
    let loop: ReadinessLoop
    let pool: PostgresPool
    let client: RedisClient
    let tally: Tally

    /// What is done to the drivers here would fill any log.
    static let logger: Logger = {
        var logger = Logger(label: "leak-check")
        logger.logLevel = .critical
        return logger
    }()

    static func with<Answer: Sendable>(
        postgres: String, redis: String, tally: Tally, _ body: (Surroundings) async throws -> Answer
    ) async throws -> Answer {
        let loop = try ReadinessLoop(label: "leak-check")
        defer { loop.shutdown() }
        let server = PostgresConfiguration(
            connectionString: postgres, sessionSettings: ["statement_timeout": "20s"])
        var redisConfiguration = RedisConfiguration(url: try RedisURL(redis))
        redisConfiguration.backoff = Backoff(shortest: .milliseconds(1), longest: .milliseconds(20))
        redisConfiguration.breaker = .init(failuresMax: 8, rest: .milliseconds(10))
        redisConfiguration.callBudget = .seconds(2)
        var poolServer = server
        poolServer.parameters["application_name"] = Self.poolName
        let surroundings = Surroundings(
            postgres: server, redis: redisConfiguration, loop: loop,
            pool: try PostgresPool(
                PostgresPoolConfiguration(server: poolServer, connections: 2), loop: loop, logger: Self.logger
            ),
            client: RedisClient(redisConfiguration, loop: loop, logger: Self.logger), tally: tally)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await surroundings.pool.run() }
            group.addTask { try await surroundings.client.run() }
            let answer = try await surroundings.withTable { try await body(surroundings) }
            group.cancelAll()
            try await group.waitForAll()
            return answer
        }
    }

    private func withTable<Answer: Sendable>(_ body: () async throws -> Answer) async throws -> Answer {
        let table = PostgresStatement(unescaped: Self.table)
        _ = try await self.pool.query("drop table if exists \(table)")
        _ = try await self.pool.query("create table \(table) (id int primary key, note text)")
        _ = try await self.pool.query("insert into \(table) values (0, 'taken')")
        let answer = try await body()
        _ = try await self.pool.query("drop table \(table)")
        return answer
    }

    /// The pool answers again, whatever was done to it.
    func poolIsBack() async throws {
        try await eventually("the pool answers again") {
            do {
                _ = try await self.pool.query("select 1", deadline: .seconds(1))
                return true
            } catch {
                return false
            }
        }
    }

    func clientIsBack() async throws {
        try await eventually("the Redis client answers again") {
            do {
                try await self.client.ping()
                return true
            } catch {
                return false
            }
        }
    }
}
