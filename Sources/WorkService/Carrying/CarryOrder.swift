package import ClusterModel
import Foundation

/// What a job of the kinds `copy` and `move` is to do: its payload,
/// `{"from": {"account": "alice", "path": "/out/a"}, "to": {"account": "bob", "path": "/in/a"}}`.
package struct CarryOrder: Hashable, Sendable {
    package struct Place: Hashable, Sendable {
        package var account: AccountName
        package var path: HomePath
    }

    package var from: Place
    package var to: Place
    /// Whether a file that stands at the target is replaced; otherwise the job fails.
    package var replaces = false
    /// Whether missing folders above the target are made; otherwise the job fails.
    package var makesParents = false
    /// What the file must have.
    package var digest: ClusterModel.Digest?
    /// What the source must show, as downloads do, with its quotes.
    package var entityTag: String?

    /// What is wrong with a payload.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        /// With dots between the names of objects; empty for the payload itself.
        package var field: String
        package var reason: String

        package var description: String {
            self.field.isEmpty
                ? "the payload \(self.reason)" : "the payload's field “\(self.field)” \(self.reason)"
        }
    }

    package init(_ payload: String) throws(Fault) {
        guard let value = try? JSONDecoder().decode(PayloadValue.self, from: Data(payload.utf8)),
            case .object(let members) = value
        else { throw Fault(field: "", reason: "must be a JSON object") }
        var fields = PayloadFields(members, below: "")
        self.from = try Self.place("from", &fields)
        self.to = try Self.place("to", &fields)
        self.replaces = try fields.flag("replace") ?? false
        self.makesParents = try fields.flag("parents") ?? false
        if let text = try fields.text("sha256") {
            guard let digest = ClusterModel.Digest(hex: text) else {
                throw fields.fault("sha256", "must be 64 hexadecimal digits")
            }
            self.digest = digest
        }
        self.entityTag = try fields.text("etag")
        try fields.finish()
        guard self.from != self.to else { throw fields.fault("to", "names the same file as “from”") }
    }

    private static func place(_ name: String, _ fields: inout PayloadFields) throws(Fault) -> Place {
        var inner = try fields.object(name)
        let text = try inner.required("account")
        guard let account = AccountName(text) else {
            throw inner.fault("account", "is no name of an account: “\(text)”")
        }
        let shown = try inner.required("path")
        let path: HomePath
        do throws(HomePath.Fault) { path = try HomePath(bytes: shown.utf8) } catch {
            throw inner.fault("path", "is no path: \(error.description)")
        }
        guard !path.isHome else { throw inner.fault("path", "must name a file, not the home itself") }
        try inner.finish()
        return Place(account: account, path: path)
    }
}

/// The members of a payload's object, each read once, so that what is left is what nobody knows.
struct PayloadFields {
    private var members: [String: PayloadValue]
    private let prefix: String

    init(_ members: [String: PayloadValue], below prefix: String) {
        self.members = members
        self.prefix = prefix
    }

    func fault(_ field: String, _ reason: String) -> CarryOrder.Fault {
        CarryOrder.Fault(field: self.prefix + field, reason: reason)
    }

    mutating func object(_ name: String) throws(CarryOrder.Fault) -> PayloadFields {
        switch self.members.removeValue(forKey: name) {
        case .object(let inner): return PayloadFields(inner, below: self.prefix + name + ".")
        case nil, .nothing: throw self.fault(name, "is missing")
        case .text, .flag, .other: throw self.fault(name, "must be an object with “account” and “path”")
        }
    }

    mutating func text(_ name: String) throws(CarryOrder.Fault) -> String? {
        switch self.members.removeValue(forKey: name) {
        case .text(let text): return text
        case nil, .nothing: return nil
        case .object, .flag, .other: throw self.fault(name, "must be a text")
        }
    }

    mutating func required(_ name: String) throws(CarryOrder.Fault) -> String {
        guard let text = try self.text(name) else { throw self.fault(name, "is missing") }
        return text
    }

    mutating func flag(_ name: String) throws(CarryOrder.Fault) -> Bool? {
        switch self.members.removeValue(forKey: name) {
        case .flag(let flag): return flag
        case nil, .nothing: return nil
        case .object, .text, .other: throw self.fault(name, "must be true or false")
        }
    }

    func finish() throws(CarryOrder.Fault) {
        guard let unknown = self.members.keys.min() else { return }
        throw self.fault(unknown, "is not known")
    }
}

/// A value of a payload, as far as orders have some.
enum PayloadValue: Decodable {
    case object([String: PayloadValue])
    case text(String)
    case flag(Bool)
    case nothing
    case other

    init(from decoder: any Decoder) throws {
        if let object = try? [String: PayloadValue](from: decoder) {
            self = .object(object)
            return
        }
        guard let container = try? decoder.singleValueContainer() else {
            self = .other
            return
        }
        if container.decodeNil() {
            self = .nothing
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            self = .other
        }
    }
}
