/// Where a Redis server is and who asks it, as one line of configuration.
///
/// | form | for |
/// |---|---|
/// | `redis://[user[:password]@]host[:port][/database]` | a server; `redis://:password@host` for one password |
/// | `unix://[user[:password]@]/path/to/socket[?db=database]` | a server on this machine |
/// | `redis+sentinel://[user[:password]@]host[:port],…/master[/database]` | whoever the sentinels say is the master |
/// | `rediss://…`, `rediss+sentinel://…` | the same over TLS, with `?ca=file`, `&cert=file&key=file` |
///
/// The sentinels' own login is `?sentinel_user=…&sentinel_password=…`. Users, passwords, paths and the
/// master's name may be percent-encoded; an IPv6 address stands in brackets.
package struct RedisURL: Sendable, Equatable {
    package enum Endpoint: Sendable, Equatable {
        /// A name or a numeric address without brackets.
        case tcp(host: String, port: Int)
        case unix(path: String)
        /// The master of these, asked for at each connection.
        case master(of: RedisSentinels)
    }

    package var endpoint: Endpoint
    /// An ACL user; nil means the server's default user.
    package var user: String?
    package var password: String?
    package var database: Int
    /// Nil means that nothing is encrypted.
    ///
    /// Sentinels are spoken to in the same way as the server.
    package var tls: RedisTLS?

    package static let defaultPort = 6379

    package init(
        endpoint: Endpoint, user: String? = nil, password: String? = nil, database: Int = 0,
        tls: RedisTLS? = nil
    ) {
        self.endpoint = endpoint
        self.user = user
        self.password = password
        self.database = database
        self.tls = tls
    }
}

extension RedisURL: CustomStringConvertible {
    /// The line without its passwords, for logs.
    package var description: String {
        let user = self.user ?? ""
        let credentials = self.user == nil && self.password == nil ? "" : "\(user):***@"
        let scheme = self.tls == nil ? "redis" : "rediss"
        switch self.endpoint {
        case .tcp(let host, let port):
            let place = RedisSentinels.Address(host: host, port: port)
            return "\(scheme)://\(credentials)\(place)/\(self.database)"
        case .unix(let path):
            return "unix://\(credentials)\(path)?db=\(self.database)"
        case .master(let sentinels):
            let places = sentinels.addresses.map(\.description).joined(separator: ",")
            return "\(scheme)+sentinel://\(credentials)\(places)/\(sentinels.master)/\(self.database)"
        }
    }
}
