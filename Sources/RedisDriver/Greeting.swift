/// What is said first on every connection, and whether the answers let it begin.
package struct Greeting {
    /// What an answer decides.
    private enum Step {
        case login
        case database
        /// Only for operators' eyes: a server that refuses it is as good.
        case name
        case ping
    }

    private let steps: [Step]
    private var answered = 0
    /// All of it, in wire form.
    package let bytes: [UInt8]

    package init(url: RedisURL, name: String) {
        var steps: [Step] = []
        var bytes: [UInt8] = []
        func say(_ step: Step, _ command: RedisCommand) {
            steps.append(step)
            command.write(into: &bytes)
        }
        if let password = url.password {
            if let user = url.user {
                say(.login, RedisCommand("AUTH", user, password))
            } else {
                say(.login, RedisCommand("AUTH", password))
            }
        }
        if url.database != 0 { say(.database, RedisCommand("SELECT", String(url.database))) }
        say(.name, RedisCommand("CLIENT", "SETNAME", name))
        say(.ping, RedisCommand("PING"))
        self.steps = steps
        self.bytes = bytes
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
        case (_, let other): return .giveUp(.malformed("\(other.kind) in answer to the greeting"))
        }
    }
}
