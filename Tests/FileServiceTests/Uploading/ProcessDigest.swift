import Crypto
import Foundation

/// SHA-256 in hexadecimal digits, not by the code under test.
enum ProcessDigest {
    static func sha256(_ text: String) -> String {
        SHA256.hash(data: Data(text.utf8)).map { String(format: "%02x", $0) }.joined()
    }
}
