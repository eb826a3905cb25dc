/// What is wrong with the address of a Redis server, and what to write instead.
package enum RedisURLError: Error, Equatable {
    case schemeMissing
    case unknownScheme(String)
    /// TLS was asked for and this machine has no `missing`.
    case tlsNotAvailable(missing: String)
    case controlCharacter
    case hostMissing
    case badHost(String)
    case badPort(String)
    case badDatabase(String)
    case badEscape(part: String)
    case passwordMissing(user: String)
    case pathMissing
    case masterMissing
    case tooManySentinels(limit: Int)
    case halfACertificate
    case unknownParameter(String)
    case emptyParameter(String)
    case repeatedParameter(String)
}

extension RedisURLError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .schemeMissing: "the Redis URL has no scheme: write redis://host:port/database"
        case .unknownScheme(let scheme):
            "the Redis URL has the scheme '\(scheme)': write redis://, unix:// or redis+sentinel://"
        case .tlsNotAvailable(let missing):
            "the Redis URL asks for TLS (rediss://), but with hiredis \(HiredisContext.libraryVersion) there is "
                + "no \(missing): install hiredis 1.x with TLS and build against it, or write redis:// and "
                + "keep the connection on a private network or in a tunnel"
        case .controlCharacter: "the Redis URL contains a space or a control character"
        case .hostMissing: "the Redis URL has no host: write redis://host:port/database"
        case .badHost(let host): "the Redis URL has the host '\(host)', whose brackets do not match"
        case .badPort(let port): "the Redis URL has the port '\(port)': write a number from 1 to 65535"
        case .badDatabase(let database): "the Redis URL has the database '\(database)': write a number from 0"
        case .badEscape(let part):
            "the \(part) in the Redis URL has a % that two hexadecimal digits do not follow, or is not UTF-8"
        case .passwordMissing(let user):
            "the Redis URL has the user '\(user)' without a password: write user:password@host, "
                + "or sentinel_user=user&sentinel_password=password"
        case .pathMissing: "the Redis URL has no socket path: write unix:///path/to/socket"
        case .masterMissing:
            "the Redis URL names no master: write redis+sentinel://host1:26379,host2:26379/mymaster/0"
        case .tooManySentinels(let limit): "the Redis URL has more sentinels than \(limit)"
        case .halfACertificate: "the Redis URL has only one of cert and key: write both or none"
        case .unknownParameter(let name): "the Redis URL has the unknown parameter '\(name)'"
        case .emptyParameter(let name): "the Redis URL has the parameter '\(name)' without a value"
        case .repeatedParameter(let name): "the Redis URL has the parameter '\(name)' twice"
        }
    }
}
