/// What is said first on every connection, and whether the answers let it begin.
package struct Greeting: Sendable {
    /// What an answer decides.
    private enum Step {
        case login
        case database
        /// Whether this is the master that was looked for.
        case role
        /// Only for operators' eyes: a server that refuses it is as good.
        case name
        case ping
    }

    private var steps: [Step] = []
    private var answered = 0
    /// All of it, in wire form.
    package private(set) var bytes: [UInt8] = []

    /// For a server; one that the sentinels named has to be a master.
    package init(url: RedisURL, name: String) {
        self.login(user: url.user, password: url.password)
        if url.database != 0 { self.say(.database, RedisCommand("SELECT", String(url.database))) }
        if case .master = url.endpoint { self.say(.role, RedisCommand("ROLE")) }
        self.end(name: name)
    }

    /// For a sentinel.
    package init(sentinels: RedisSentinels, name: String) {
        self.login(user: sentinels.user, password: sentinels.password)
        self.end(name: name)
    }

    private mutating func login(user: String?, password: String?) {
        guard let password else { return }
        if let user {
            self.say(.login, RedisCommand("AUTH", user, password))
        } else {
            self.say(.login, RedisCommand("AUTH", password))
        }
    }

    private mutating func end(name: String) {
        self.say(.name, RedisCommand("CLIENT", "SETNAME", name))
        self.say(.ping, RedisCommand("PING"))
    }

    private mutating func say(_ step: Step, _ command: RedisCommand) {
        self.steps.append(step)
        command.write(into: &self.bytes)
    }

    package enum OnReply: Equatable {
        case wait
        case begin
        case giveUp(RedisError)
    }

    package mutating func replied(_ value: RedisValue) -> OnReply {
        guard self.answered < self.steps.count else {
            return .giveUp(.malformed("more answers to the greeting than it has commands"))
        }
        let step = self.steps[self.answered]
        self.answered += 1
        switch (step, value) {
        case (.name, _): return .wait
        case (_, .error(let text)): return .giveUp(RedisError(refusal: text))
        case (.ping, .status("PONG")): return .begin
        case (.login, .status), (.database, .status): return .wait
        case (.role, .array(let parts)):
            guard let role = parts.first?.text else {
                return .giveUp(.malformed("a role without its name in answer to the greeting"))
            }
            return role == "master" ? .wait : .giveUp(.unavailable("the server is a \(role), not the master"))
        case (_, let other): return .giveUp(.malformed("\(other.kind) in answer to the greeting"))
        }
    }
}
