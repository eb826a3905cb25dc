import RedisDriver
import Testing

@Suite struct ProtocolTests {
    private func wire(_ command: RedisCommand) -> String {
        var bytes: [UInt8] = []
        command.write(into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `a command is an array of counted strings`() {
        #expect(self.wire(RedisCommand("GET", "")) == "*2\r\n$3\r\nGET\r\n$0\r\n\r\n")
        #expect(
            self.wire(RedisCommand("GET", "a long key é")) == "*2\r\n$3\r\nGET\r\n$13\r\na long key é\r\n")
        var command = RedisCommand("SET", "k")
        command.append([0, 13, 10])
        command.append(-12)
        #expect(self.wire(command) == "*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\0\r\n\r\n$3\r\n-12\r\n")
    }

    @Test func `the greeting names user, database and client before it asks for a sign of life`() {
        let url = RedisURL(endpoint: .unix(path: "/x"), user: "ann", password: "pw", database: 2)
        var greeting = Greeting(url: url, name: "n")
        #expect(
            String(decoding: greeting.bytes, as: UTF8.self)
                == self.wire(RedisCommand("AUTH", "ann", "pw")) + self.wire(RedisCommand("SELECT", "2"))
                + self.wire(RedisCommand("CLIENT", "SETNAME", "n")) + self.wire(RedisCommand("PING")))
        #expect(greeting.replied(.status("OK")) == .wait)
        #expect(greeting.replied(.status("OK")) == .wait)
        #expect(greeting.replied(.error("ERR unknown subcommand")) == .wait)
        #expect(greeting.replied(.status("PONG")) == .begin)
        #expect(greeting.replied(.status("PONG")) != .begin)
    }

    @Test func `a refused login ends the greeting`() {
        var greeting = Greeting(url: RedisURL(endpoint: .unix(path: "/x"), password: "pw"), name: "n")
        #expect(
            greeting.replied(.error("WRONGPASS invalid"))
                == .giveUp(.rejected(code: "WRONGPASS", message: "invalid")))
    }

    @Test func `a greeting answered with nonsense is given up`() {
        var greeting = Greeting(url: RedisURL(endpoint: .unix(path: "/x")), name: "n")
        _ = greeting.replied(.status("OK"))
        #expect(greeting.replied(.integer(3)) == .giveUp(.malformed("an integer in answer to the greeting")))
    }

    private func greeted(role: RedisValue) -> Greeting.OnReply {
        let sentinels = RedisSentinels(addresses: [.init(host: "a")], master: "m")
        var greeting = Greeting(url: RedisURL(endpoint: .master(of: sentinels)), name: "n")
        return greeting.replied(role)
    }

    @Test func `whom the sentinels named has to be a master`() {
        #expect(self.greeted(role: .array([.bulk(Array("master".utf8)), .integer(0), .array([])])) == .wait)
        #expect(
            self.greeted(role: .array([.bulk(Array("slave".utf8))]))
                == .giveUp(.unavailable("the server is a slave, not the master")))
        #expect(
            self.greeted(role: .error("NOPERM no right to 'role'"))
                == .giveUp(.rejected(code: "NOPERM", message: "no right to 'role'")))
        for lie in [RedisValue.array([]), .array([.integer(1)]), .null, .status("OK")] {
            guard case .giveUp(.malformed) = self.greeted(role: lie) else {
                Issue.record("\(lie) was taken for a role")
                return
            }
        }
    }

    @Test func `pushed replies are told apart`() throws {
        let name = RedisValue.bulk(Array("c".utf8))
        #expect(
            try PushedReply(.array([.bulk(Array("subscribe".utf8)), name, .integer(1)]))
                == .subscribed(channel: "c"))
        #expect(
            try PushedReply(.array([.bulk(Array("message".utf8)), name, .bulk([0])]))
                == .message(channel: "c", payload: [0]))
        #expect(try PushedReply(.array([.bulk(Array("pong".utf8)), .bulk([])])) == .pong)
    }

    @Test(arguments: [
        RedisValue.integer(1), .null, .array([]), .array([.integer(1), .integer(2)]), .error("ERR no"),
        .array([.bulk(Array("message".utf8))]), .array([.bulk(Array("message".utf8)), .null, .null]),
        .array([.bulk(Array("subscribe".utf8)), .null, .integer(1)]),
    ])
    func `a push that makes no sense is refused`(_ value: RedisValue) {
        #expect(throws: RedisError.self) { try PushedReply(value) }
    }

    @Test func `a prefix matches only itself`() {
        #expect(RedisClient.globbed("a*b?[c]^-\\é") == "a\\*b\\?\\[c\\]\\^\\-\\\\é")
    }
}
