package import ClusterModel
package import HTTPDoor

/// Filters, sorts and pages the members of a view.
package struct NodeFilters: Sendable {
    package enum Sort: String, CaseIterable, Sendable {
        case slot, name, status
        case slotDescending = "-slot"
        case nameDescending = "-name"
        case statusDescending = "-status"
    }
    /// The last member of the page before.
    package struct Position: Sendable, Equatable, Codable {
        var key: String
        var incarnation: Int64
    }
    package var status: MemberStatus?
    package var name: NodeName?
    package var sort = Sort.slot
    package var limit = 100
    package var after: Position?

    package init(_ items: [RequestTarget.QueryItem]) throws(Problem) {
        var reader = try QueryReader(items)
        self.status = try reader.choice("status", MemberStatus.self)
        self.name = try reader.value("name", "a node's name") { NodeName($0) }
        self.sort = try reader.choice("sort", Sort.self) ?? .slot
        if let limit = try reader.number("limit", in: 1...1_000) { self.limit = Int(limit) }
        let list = self.list
        self.after = try reader.value("cursor", PageCursor.expected) {
            PageCursor.position(Position.self, $0, of: list)
        }
        try reader.finish()
    }

    /// What a cursor is bound to.
    private var list: String {
        "nodes \(self.status?.rawValue ?? "") \(self.name?.description ?? "") \(self.sort.rawValue)"
    }

    /// One page, and the cursor of the next one.
    package func page(_ members: [Member]) -> (members: [Member], next: String?) {
        let found = members.filter { member in
            (self.status == nil || member.status == self.status)
                && (self.name == nil || member.name == self.name)
        }
        let sorted = found.map { (self.position($0), $0) }.sorted { self.precedes($0.0, $1.0) }
        let rest = sorted.drop { position, _ in self.after.map { !self.precedes($0, position) } ?? false }
        let page = rest.prefix(self.limit)
        let next = page.count < rest.count ? page.last.map { PageCursor.text($0.0, of: self.list) } : nil
        return (page.map(\.1), next)
    }

    private func precedes(_ left: Position, _ right: Position) -> Bool {
        switch self.sort {
        case .slot, .name, .status: (left.key, left.incarnation) < (right.key, right.incarnation)
        case .slotDescending, .nameDescending, .statusDescending:
            (left.key, left.incarnation) > (right.key, right.incarnation)
        }
    }

    private func position(_ member: Member) -> Position {
        let key =
            switch self.sort {
            // Padded, so that texts compare as the numbers do.
            case .slot, .slotDescending:
                String(repeating: "0", count: 5 - member.slot.description.count) + "\(member.slot)"
            case .name, .nameDescending: member.name.description
            case .status, .statusDescending: member.status.rawValue
            }
        return Position(key: key, incarnation: member.incarnation.rawValue)
    }
}
