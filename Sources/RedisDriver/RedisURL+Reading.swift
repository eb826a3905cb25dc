extension RedisURL {
    /// Reads the line; what is wrong with it is named, its passwords never are.
    package init(_ text: String) throws(RedisURLError) {
        guard let separator = text.firstRange(of: "://") else { throw .schemeMissing }
        let scheme = text[..<separator.lowerBound].lowercased()
        let rest = text[separator.upperBound...]
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw .controlCharacter }
        switch scheme {
        case "redis": try self.init(network: rest, isEncrypted: false)
        case "rediss": try self.init(network: rest, isEncrypted: true)
        case "redis+sentinel": try self.init(sentinels: rest, isEncrypted: false)
        case "rediss+sentinel": try self.init(sentinels: rest, isEncrypted: true)
        case "unix": try self.init(socket: rest)
        default: throw .unknownScheme(scheme)
        }
        if self.tls != nil, let missing = RedisTLS.missing { throw .tlsNotAvailable(missing: missing) }
    }

    private init(network rest: Substring, isEncrypted: Bool) throws(RedisURLError) {
        let question = rest.firstIndex(of: "?") ?? rest.endIndex
        let slash = rest[..<question].firstIndex(of: "/") ?? question
        let (user, password, place) = try Self.credentials(rest[..<slash])
        let (host, port) = try Self.hostAndPort(place, defaultPort: Self.defaultPort)
        let parameters = try Self.parameters(
            rest[question...].dropFirst(), allowed: isEncrypted ? Self.tlsParameters : [])
        self.init(
            endpoint: .tcp(host: host, port: port), user: user, password: password,
            database: try Self.databaseNumber(rest[slash..<question].dropFirst()),
            tls: isEncrypted ? try Self.tls(parameters) : nil)
    }

    private init(sentinels rest: Substring, isEncrypted: Bool) throws(RedisURLError) {
        let question = rest.firstIndex(of: "?") ?? rest.endIndex
        let slash = rest[..<question].firstIndex(of: "/") ?? question
        let (user, password, places) = try Self.credentials(rest[..<slash])
        var addresses: [RedisSentinels.Address] = []
        for place in places.split(separator: ",", omittingEmptySubsequences: false) {
            let (host, port) = try Self.hostAndPort(place, defaultPort: RedisSentinels.defaultPort)
            addresses.append(RedisSentinels.Address(host: host, port: port))
        }
        guard addresses.count <= RedisSentinels.addressesMax else {
            throw .tooManySentinels(limit: RedisSentinels.addressesMax)
        }
        let path = rest[slash..<question].dropFirst()
            .split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let master = path.first, !master.isEmpty else { throw .masterMissing }
        let parameters = try Self.parameters(
            rest[question...].dropFirst(),
            allowed: Self.sentinelParameters + (isEncrypted ? Self.tlsParameters : []))
        let sentinelUser = parameters["sentinel_user"]
        let sentinelPassword = parameters["sentinel_password"]
        if let sentinelUser, sentinelPassword == nil { throw .passwordMissing(user: sentinelUser) }
        self.init(
            endpoint: .master(
                of: RedisSentinels(
                    addresses: addresses, master: try Self.decoded(master, part: "master's name"),
                    user: sentinelUser, password: sentinelPassword)),
            user: user, password: password,
            database: path.count < 2 ? 0 : try Self.databaseNumber(path[1]),
            tls: isEncrypted ? try Self.tls(parameters) : nil)
    }

    private init(socket rest: Substring) throws(RedisURLError) {
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let question = rest.firstIndex(of: "?") ?? rest.endIndex
        guard slash < question else { throw .pathMissing }
        let (user, password, host) = try Self.credentials(rest[..<slash])
        guard host.isEmpty else { throw .pathMissing }
        let parameters = try Self.parameters(rest[question...].dropFirst(), allowed: ["db"])
        self.init(
            endpoint: .unix(path: try Self.decoded(rest[slash..<question], part: "path")), user: user,
            password: password, database: try Self.databaseNumber(parameters["db", default: ""][...]))
    }
}

// MARK: Parts

extension RedisURL {
    private static let tlsParameters = ["ca", "cert", "key"]
    private static let sentinelParameters = ["sentinel_user", "sentinel_password"]

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

    private static func hostAndPort(
        _ place: Substring, defaultPort: Int
    ) throws(RedisURLError) -> (host: String, port: Int) {
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
        guard port.isEmpty == false else { return (String(host), defaultPort) }
        guard let number = UInt16(port.dropFirst()), number > 0 else {
            throw .badPort(String(port.dropFirst()))
        }
        return (String(host), Int(number))
    }

    /// Nothing means the first.
    private static func databaseNumber(_ text: Substring) throws(RedisURLError) -> Int {
        guard !text.isEmpty else { return 0 }
        guard let number = Int(text), (0..<(1 << 20)).contains(number) else {
            throw .badDatabase(String(text))
        }
        return number
    }

    private static func parameters(
        _ query: Substring, allowed: [String]
    ) throws(RedisURLError) -> [String: String] {
        var parameters: [String: String] = [:]
        for parameter in query.split(separator: "&") {
            let name = String(parameter.prefix { $0 != "=" })
            guard allowed.contains(name) else { throw .unknownParameter(name) }
            let value = parameter.dropFirst(name.count + 1)
            guard !value.isEmpty else { throw .emptyParameter(name) }
            guard parameters[name] == nil else { throw .repeatedParameter(name) }
            parameters[name] = try self.decoded(value, part: name)
        }
        return parameters
    }

    private static func tls(_ parameters: [String: String]) throws(RedisURLError) -> RedisTLS {
        let tls = RedisTLS(
            authorityFile: parameters["ca"], certificateFile: parameters["cert"], keyFile: parameters["key"])
        guard (tls.certificateFile == nil) == (tls.keyFile == nil) else { throw .halfACertificate }
        return tls
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
}
