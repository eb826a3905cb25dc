import ClusterModel
import ClusterPorts
package import HTTPDoor

/// Which open transfers are listed.
package struct SessionFilters: Sendable, Equatable {
    package static let longest = 10_000

    package var account: String?
    package var node: String?
    package var `protocol`: String?
    package var kind: String?
    package var limit: Int

    package init(_ items: [RequestTarget.QueryItem]) throws(Problem) {
        var reader = try QueryReader(items)
        self.account = try reader.value("account", "an account's name") { AccountName($0) }?.description
        self.node = try reader.value("node", "a node's name") { NodeName($0) }?.description
        self.protocol = reader.text("protocol")
        self.kind = try reader.choice("kind", TransferRecord.Kind.self)?.rawValue
        self.limit = try reader.number("limit", in: 1...Int64(Self.longest)).map { Int($0) } ?? 1_000
        try reader.finish()
    }

    package func fits(_ session: SessionAnswer) -> Bool {
        func fits(_ wanted: String?, _ value: String) -> Bool { wanted == nil || wanted == value }
        return fits(self.account, session.account) && fits(self.node, session.node)
            && fits(self.protocol, session.protocol) && fits(self.kind, session.kind)
    }
}
