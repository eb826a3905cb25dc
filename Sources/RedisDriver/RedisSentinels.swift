/// The sentinels of one Redis, any of which may be asked where its master is.
package struct RedisSentinels: Sendable, Equatable {
    /// A name or a numeric address without brackets.
    package struct Address: Sendable, Equatable {
        package var host: String
        package var port: Int

        package init(host: String, port: Int = RedisSentinels.defaultPort) {
            self.host = host
            self.port = port
        }
    }

    /// At least one, at most `addressesMax`; asked in this order at first.
    package var addresses: [Address]
    /// The name under which the sentinels watch the master.
    package var master: String
    /// For the sentinels themselves; the master has its own in `RedisURL`.
    package var user: String?
    package var password: String?

    package static let defaultPort = 26379
    package static let addressesMax = 16

    package init(
        addresses: [Address], master: String, user: String? = nil, password: String? = nil
    ) {
        self.addresses = addresses
        self.master = master
        self.user = user
        self.password = password
    }
}

extension RedisSentinels.Address: CustomStringConvertible {
    package var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}
