/// Where a Redis server is and who asks it, as one line of configuration.
///
/// `redis://[user[:password]@]host[:port][/database]`, `redis://:password@host` for a server with one
/// password, and `unix://[user[:password]@]/path/to/socket[?db=database]`. User and password may be
/// percent-encoded; an IPv6 address stands in brackets.
package struct RedisURL: Sendable, Equatable {
    package enum Endpoint: Sendable, Equatable {
        /// A name or a numeric address without brackets.
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    package var endpoint: Endpoint
    /// An ACL user; nil means the server's default user.
    package var user: String?
    package var password: String?
    package var database: Int

    package static let defaultPort = 6379

    package init(endpoint: Endpoint, user: String? = nil, password: String? = nil, database: Int = 0) {
        self.endpoint = endpoint
        self.user = user
        self.password = password
        self.database = database
    }

    /// Reads the line; what is wrong with it is named, its password never is.
    package init(_ text: String) throws(RedisURLError) {
        guard let separator = text.firstRange(of: "://") else { throw .schemeMissing }
        let scheme = text[..<separator.lowerBound].lowercased()
        let rest = text[separator.upperBound...]
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw .controlCharacter }
        switch scheme {
        case "redis": try self.init(network: rest)
        case "unix": try self.init(socket: rest)
        case "rediss": throw .tlsNotAvailable
        default: throw .unknownScheme(scheme)
        }
    }

    private init(network rest: Substring) throws(RedisURLError) {
        if let question = rest.firstIndex(of: "?") {
            throw .unknownParameter(Self.firstParameter(rest[rest.index(after: question)...]))
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let (user, password, place) = try Self.credentials(rest[..<slash])
        self.user = user
        self.password = password
        self.endpoint = try Self.hostAndPort(place)
        let database = rest[slash...].dropFirst()
        self.database = database.isEmpty ? 0 : try Self.databaseNumber(database)
    }

    private init(socket rest: Substring) throws(RedisURLError) {
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let question = rest.firstIndex(of: "?") ?? rest.endIndex
        guard slash < question else { throw .pathMissing }
        let (user, password, host) = try Self.credentials(rest[..<slash])
        guard host.isEmpty else { throw .pathMissing }
        self.user = user
        self.password = password
        self.endpoint = .unix(path: try Self.decoded(rest[slash..<question], part: "path"))
        self.database = 0
        for parameter in rest[question...].dropFirst().split(separator: "&") {
            guard parameter.hasPrefix("db=") else { throw .unknownParameter(Self.firstParameter(parameter)) }
            self.database = try Self.databaseNumber(parameter.dropFirst(3))
        }
    }
}

extension RedisURL {
    private static func credentials(
        _ authority: Substring
    ) throws(RedisURLError) -> (user: String?, password: String?, place: Substring) {
        guard let at = authority.lastIndex(of: "@") else { return (nil, nil, authority) }
        let place = authority[authority.index(after: at)...]
        let both = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let user = both.isEmpty ? "" : try self.decoded(both[0], part: "user")
        let password = both.count < 2 ? "" : try self.decoded(both[1], part: "password")
        if password.isEmpty, !user.isEmpty { throw .passwordMissing(user: user) }
        return (user.isEmpty ? nil : user, password.isEmpty ? nil : password, place)
    }

    private static func hostAndPort(_ place: Substring) throws(RedisURLError) -> Endpoint {
        var host = place
        var port = place[place.endIndex...]
        if place.hasPrefix("[") {
            guard let close = place.firstIndex(of: "]") else { throw .badHost(String(place)) }
            host = place[place.index(after: place.startIndex)..<close]
            port = place[place.index(after: close)...]
            guard port.isEmpty || port.hasPrefix(":") else { throw .badHost(String(place)) }
        } else if let colon = place.firstIndex(of: ":") {
            host = place[..<colon]
            port = place[colon...]
        }
        guard !host.isEmpty else { throw .hostMissing }
        guard port.isEmpty == false else { return .tcp(host: String(host), port: Self.defaultPort) }
        guard let number = UInt16(port.dropFirst()), number > 0 else {
            throw .badPort(String(port.dropFirst()))
        }
        return .tcp(host: String(host), port: Int(number))
    }

    private static func databaseNumber(_ text: Substring) throws(RedisURLError) -> Int {
        guard let number = Int(text), (0..<(1 << 20)).contains(number) else {
            throw .badDatabase(String(text))
        }
        return number
    }

    private static func decoded(_ text: Substring, part: String) throws(RedisURLError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = Substring(rest.prefix(2))
            guard digits.count == 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16),
                value != 0
            else { throw .badEscape(part: part) }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .badEscape(part: part) }
        return text
    }

    private static func firstParameter(_ query: Substring) -> String {
        String(query.prefix { $0 != "=" && $0 != "&" })
    }
}

extension RedisURL: CustomStringConvertible {
    /// The line without its password, for logs.
    package var description: String {
        let user = self.user ?? ""
        let credentials = self.user == nil && self.password == nil ? "" : "\(user):***@"
        switch self.endpoint {
        case .tcp(let host, let port):
            let shown = host.contains(":") ? "[\(host)]" : host
            return "redis://\(credentials)\(shown):\(port)/\(self.database)"
        case .unix(let path):
            return "unix://\(credentials)\(path)?db=\(self.database)"
        }
    }
}
