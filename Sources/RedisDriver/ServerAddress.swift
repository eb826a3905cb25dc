/// Where to connect to, with nothing left to be resolved.
struct ServerAddress: Sendable, Equatable {
    enum Place: Sendable, Equatable {
        /// A numeric address without brackets.
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    var place: Place
    /// What was asked for: a certificate must be for this name.
    var name: String
}

extension ServerAddress: CustomStringConvertible {
    var description: String {
        switch self.place {
        case .tcp(let host, let port): "\(RedisSentinels.Address(host: host, port: port))"
        case .unix(let path): path
        }
    }
}
