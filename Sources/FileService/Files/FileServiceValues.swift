package import ClusterModel

package import struct Foundation.UUID

/// Who asks, as a front door found out.
package struct Caller: Sendable {
    package var account: Account
    /// The client's address, without port.
    package var client: String
    /// What the front door speaks, for example `http`.
    package var `protocol`: String

    package init(account: Account, client: String, protocol: String) {
        self.account = account
        self.client = client
        self.protocol = `protocol`
    }
}

/// What a client asks of one upload beside its bytes.
package struct PutOptions: Sendable {
    /// Makes missing folders above the path; otherwise they are an error.
    package var makesParents = false
    /// False: something that stands at the path stays, and the upload fails (`If-None-Match: *`).
    package var replaces = true
    /// The value of `If-Match`: `*`, or entity tags in quotes, separated by commas.
    package var ifMatch: String?
    /// What the client says the body's SHA-256 is.
    package var expectedDigest: Digest?
    /// The client sends its body only when it is asked for: so the path is looked at before, whatever its length.
    package var isBodyAskedFor = false

    package init() {}

    /// Whether the path must be looked at between taking the name and deciding.
    var isConditional: Bool { !self.replaces || self.ifMatch != nil }
}

/// An upload that is visible and durable.
package struct PutReceipt: Sendable, Hashable {
    package var transfer: UUID
    package var path: HomePath
    package var size: Int64
    package var digest: Digest
    /// As a download of the file shows it.
    package var entityTag: String
    /// False: something stood at the path when the upload began, and was replaced.
    package var created: Bool

    package init(
        transfer: UUID, path: HomePath, size: Int64, digest: Digest, entityTag: String, created: Bool
    ) {
        self.transfer = transfer
        self.path = path
        self.size = size
        self.digest = digest
        self.entityTag = entityTag
        self.created = created
    }
}

/// A change of names that is visible and durable.
package struct OperationReceipt: Sendable, Hashable {
    package var transfer: UUID
    package var path: HomePath

    package init(transfer: UUID, path: HomePath) {
        self.transfer = transfer
        self.path = path
    }
}
