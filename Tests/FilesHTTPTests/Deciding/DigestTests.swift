import ClusterModel
import FilesHTTP
import Foundation
import HTTPDoor
import HTTPTypes
import Testing

/// Announced and wanted digests.
@Suite struct DigestTests {
    private static let base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    private static let empty = Digest(hex: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    private static let md5 = "1B2M2Y8AsgTpgAmY7PhCfg=="

    private func problem(_ headers: HTTPFields) -> ProblemKind? {
        do {
            _ = try AnnouncedDigests(headers)
            return nil
        } catch { return error.kind }
    }

    @Test func `a digest is read from each of its fields, and several at once`() throws {
        #expect(try AnnouncedDigests([FileHeaders.digest: "SHA-256=\(Self.base64)"]).sha256 == Self.empty)
        let several = try AnnouncedDigests([
            FileHeaders.contentDigest: "md5=:\(Self.md5):;x=1 , sha-256=:\(Self.base64):",
            FileHeaders.reprDigest: "sha-256=:\(Self.base64):",
            FileHeaders.digest: "UNIXsum=30637,, sha-256=\(Self.base64)", FileHeaders.contentMD5: Self.md5,
        ])
        #expect(several.sha256 == Self.empty)
        #expect(several.others.keys.sorted { $0.rawValue < $1.rawValue } == [.md5])
    }

    @Test func `algorithms that nobody knows are ignored`() throws {
        let value = "unixsum=:AAAA:, whirlpool=:x:, id-sha-256=5"
        #expect(try AnnouncedDigests([FileHeaders.contentDigest: value]) == AnnouncedDigests())
        #expect(try AnnouncedDigests([FileHeaders.digest: "CRC32c=abc"]) == AnnouncedDigests())
    }

    @Test(arguments: [
        "sha-256", "sha-256=x", "sha-256=:x:", "sha-256=:AAAA:", "sha-256=\(base64)", "SHA-256=:\(base64):",
        "=:AAAA:", "", ",", "sha-512=:\(base64):", "md5=:aa:", "sha-256=::",
    ])
    func `malformed ones are refused`(value: String) {
        #expect(self.problem([FileHeaders.contentDigest: value]) == .invalidHeader)
        #expect(self.problem([FileHeaders.reprDigest: value]) == .invalidHeader)
    }

    @Test func `malformed ones of the older fields, and those that contradict, are refused`() {
        for value in ["sha-256", "sha-256=AAAA", "=AAAA", "md5=:\(Self.md5):"] {
            #expect(self.problem([FileHeaders.digest: value]) == .invalidHeader, "\(value)")
        }
        #expect(self.problem([FileHeaders.contentMD5: "AAAA"]) == .invalidHeader)
        let other = Data(repeating: 1, count: 32).base64EncodedString()
        #expect(
            self.problem([
                FileHeaders.digest: "sha-256=\(Self.base64)", FileHeaders.reprDigest: "sha-256=:\(other):",
            ]) == .invalidHeader)
        #expect(
            self.problem([FileHeaders.contentDigest: "sha-256=:\(Self.base64):, sha-256=:\(other):"])
                == .invalidHeader)
    }

    @Test func `what a reader wants is understood, and nonsense is no wish`() {
        func wanted(_ repr: String?, _ instance: String? = nil) -> [Bool] {
            var headers: HTTPFields = [:]
            headers[FileHeaders.wantReprDigest] = repr
            headers[FileHeaders.wantDigest] = instance
            let wanted = WantedDigests(headers)
            return [wanted.repr, wanted.instance]
        }
        #expect(wanted("sha-256=10, md5=1") == [true, false])
        #expect(wanted("sha-256=0") == [false, false])
        #expect(wanted("sha-512=3") == [false, false])
        #expect(wanted("()=,") == [false, false])
        #expect(wanted(nil, "SHA-256;q=0.5, md5") == [false, true])
        #expect(wanted(nil, "sha-256") == [false, true])
        #expect(wanted(nil, "sha-256;q=0") == [false, false])
    }
}
