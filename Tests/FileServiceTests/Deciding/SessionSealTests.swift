import ClusterModel
import FileService
import Foundation
import Testing

struct SessionSealTests {
    private let seal = SessionSeal(clusterKey: [UInt8](repeating: 7, count: 32))
    private let end = Date(timeIntervalSince1970: 1_795_406_400)

    private func account(_ name: String = "ann.lee", hash: String? = "scrypt$1") throws -> Account {
        Account(
            id: AccountID(UUID()), name: try #require(AccountName(name)), enabled: true, passwordHash: hash,
            createdAt: self.end, changedAt: self.end, revision: 1)
    }

    @Test func `a session is read as it was sealed, and proves its account`() throws {
        let ann = try self.account()
        let session = try #require(self.seal.seal(ann, until: self.end))
        #expect(session.account == ann.name && session.expiresAt == self.end)
        #expect(SessionSeal.read(session.text) == session)
        #expect(self.seal.proves(session, of: ann))
        let cookie = #/[A-Za-z0-9._-]+/#
        #expect(session.text.wholeMatch(of: cookie) != nil)
    }

    @Test func `a session proves nothing of another password, account or cluster`() throws {
        let ann = try self.account()
        let session = try #require(self.seal.seal(ann, until: self.end))
        var other = ann
        other.passwordHash = "scrypt$2"
        #expect(!self.seal.proves(session, of: other))
        other.passwordHash = nil
        #expect(!self.seal.proves(session, of: other))
        #expect(!self.seal.proves(session, of: try self.account()), "made anew under the old name")
        #expect(!self.seal.proves(session, of: try self.account("bob")))
        let elsewhere = SessionSeal(clusterKey: [UInt8](repeating: 8, count: 32))
        #expect(!elsewhere.proves(session, of: ann))
        #expect(self.seal.seal(try self.account(hash: nil), until: self.end) == nil)
    }

    @Test func `a session with one character changed proves nothing`() throws {
        let ann = try self.account()
        let text = try #require(self.seal.seal(ann, until: self.end)).text
        for index in text.indices {
            var changed = text
            changed.replaceSubrange(index...index, with: text[index] == "1" ? "2" : "1")
            guard let session = SessionSeal.read(changed) else { continue }
            #expect(!self.seal.proves(session, of: ann), "\(changed)")
        }
    }

    @Test(arguments: [
        "", "s1", "s1.1.2", "s2.1.\(String(repeating: "a", count: 64)).ann",
        "s1..\(String(repeating: "a", count: 64)).ann",
        "s1.-1.\(String(repeating: "a", count: 64)).ann", "s1.1.\(String(repeating: "a", count: 63)).ann",
        "s1.1.\(String(repeating: "a", count: 64)).", "s1.1.\(String(repeating: "a", count: 64)).Ann",
        "s1.9999999999999.\(String(repeating: "a", count: 64)).ann",
    ])
    func `what is none of ours is not read`(_ text: String) {
        #expect(SessionSeal.read(text) == nil)
    }
}
