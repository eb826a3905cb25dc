/// What is wrong with the address of a Redis server, and what to write instead.
package enum RedisURLError: Error, Equatable {
    case schemeMissing
    case unknownScheme(String)
    /// `rediss://` was asked for and this hiredis cannot do it.
    case tlsNotAvailable
    case controlCharacter
    case hostMissing
    case badHost(String)
    case badPort(String)
    case badDatabase(String)
    case badEscape(part: String)
    case passwordMissing(user: String)
    case pathMissing
    case unknownParameter(String)
}

extension RedisURLError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .schemeMissing: "the Redis URL has no scheme: write redis://host:port/database"
        case .unknownScheme(let scheme): "the Redis URL has the scheme '\(scheme)': write redis:// or unix://"
        case .tlsNotAvailable:
            "the Redis URL asks for TLS (rediss://), which hiredis \(HiredisContext.libraryVersion) "
                + "does not have: write redis:// and keep the connection on a private network or in a tunnel"
        case .controlCharacter: "the Redis URL contains a space or a control character"
        case .hostMissing: "the Redis URL has no host: write redis://host:port/database"
        case .badHost(let host): "the Redis URL has the host '\(host)', whose brackets do not match"
        case .badPort(let port): "the Redis URL has the port '\(port)': write a number from 1 to 65535"
        case .badDatabase(let database): "the Redis URL has the database '\(database)': write a number from 0"
        case .badEscape(let part):
            "the \(part) in the Redis URL has a % that two hexadecimal digits do not follow, or is not UTF-8"
        case .passwordMissing(let user):
            "the Redis URL has the user '\(user)' without a password: write user:password@host"
        case .pathMissing: "the Redis URL has no socket path: write unix:///path/to/socket"
        case .unknownParameter(let name): "the Redis URL has the unknown parameter '\(name)'"
        }
    }
}
