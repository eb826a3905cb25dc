import ClusterModel
package import ClusterPorts
import HTTPDoor
package import HTTPTypes

/// What an answer about the home says of its account's quota, named after the properties of RFC 4331.
package enum QuotaHeaders {
    package static let usedBytes = DoorHeader.name("Quota-Used-Bytes")
    package static let availableBytes = DoorHeader.name("Quota-Available-Bytes")
    package static let usedFiles = DoorHeader.name("Quota-Used-Files")
    package static let availableFiles = DoorHeader.name("Quota-Available-Files")

    /// None without a quota; what is available is said only of what has a limit.
    package static func fields(_ account: AccountQuota?) -> HTTPFields {
        guard let account else { return [:] }
        var fields: HTTPFields = [
            Self.usedBytes: "\(account.use.bytes)", Self.usedFiles: "\(account.use.files)",
        ]
        if let most = account.quota.bytes {
            fields[Self.availableBytes] = "\(max(0, most - account.use.bytes))"
        }
        if let most = account.quota.files {
            fields[Self.availableFiles] = "\(max(0, most - account.use.files))"
        }
        return fields
    }
}
