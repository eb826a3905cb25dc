package import ClusterModel
import Crypto

import struct Foundation.Data

/// Secrets that programs show: a prefix that says what it is, and 32 random bytes in base64url.
package enum Secrets {
    package static let keyPrefix = "flk_"
    package static let tokenPrefix = "flt_"
    package static let webhookPrefix = "flw_"

    package static func make(_ prefix: String) -> String {
        let text = Data(RandomBytes.make(32)).base64EncodedString()
        let url = text.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        return prefix + url
    }

    /// What is stored of a secret, and looked up; nil when the text cannot be one of ours.
    package static func digest(_ secret: String, prefix: String) -> ClusterModel.Digest? {
        guard secret.hasPrefix(prefix), secret.utf8.count == prefix.utf8.count + 43 else { return nil }
        return ClusterModel.Digest(Array(SHA256.hash(data: Array(secret.utf8))))
    }
}
