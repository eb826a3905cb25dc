import ClusterModel
import FileService
import Foundation
import Testing

struct AccessRulesTests {
    @Test func `a password hash is read as it is written, and fits its password only`() throws {
        let password = Array("correct horse".utf8)
        let hash = try PasswordHash.of(password, salt: Array("0123456789abcdef".utf8))
        #expect(hash.text.hasPrefix("scrypt$32768$8$1$"))
        let read = try #require(PasswordHash(hash.text))
        #expect(read == hash)
        #expect(read.fits(password))
        #expect(!read.fits(Array("correct horsf".utf8)))
    }

    @Test func `the decoy fits nothing, and strange hashes are none`() {
        #expect(!PasswordHash.decoy.fits([]))
        for text in ["", "scrypt$3$8$1$$", "scrypt$33554432$8$1$AAAA$AAAA", "bcrypt$1$1$1$AA==$AA=="] {
            #expect(PasswordHash(text) == nil)
        }
    }

    @Test func `known answers of scrypt come out`() throws {
        // RFC 7914, 12: "password", "NaCl", N=1024, r=8, p=16.
        let hash = PasswordHash(
            rounds: 1_024, blockSize: 8, parallelism: 16, salt: Array("NaCl".utf8),
            hash: try #require(
                [UInt8](
                    hex: "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
                        + "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640")))
        #expect(hash.fits(Array("password".utf8)))
        #expect(!hash.fits(Array("Password".utf8)))
    }

    @Test func `secrets differ, say what they are, and are stored as digests`() throws {
        let secret = Secrets.make(Secrets.keyPrefix)
        #expect(secret.hasPrefix("flk_"))
        #expect(secret.utf8.count == 47)
        #expect(secret != Secrets.make(Secrets.keyPrefix))
        #expect(Secrets.digest(secret, prefix: Secrets.keyPrefix) != nil)
        #expect(Secrets.digest(secret, prefix: Secrets.tokenPrefix) == nil)
        #expect(Secrets.digest(secret + "x", prefix: Secrets.keyPrefix) == nil)
    }

    @Test func `what an administrator may not set is named`() throws {
        #expect(throws: AccountDeskError.self) { try AccountRules.name("Alice") }
        #expect(throws: AccountDeskError.self) { try AccountRules.password("seven77") }
        #expect(throws: AccountDeskError.self) {
            try AccountRules.password(String(repeating: "x", count: 1_025))
        }
        #expect(throws: AccountDeskError.self) { try AccountRules.label("") }
        #expect(throws: AccountDeskError.self) { try AccountRules.label(String(repeating: "x", count: 101)) }
        #expect(throws: AccountDeskError.self) { try AccountRules.label("a\nb") }
        let now = Date(timeIntervalSince1970: 100)
        #expect(throws: AccountDeskError.self) { try AccountRules.expiry(now, now: now) }
        try AccountRules.expiry(now.addingTimeInterval(1), now: now)
        try AccountRules.expiry(nil, now: now)
        #expect(try AccountRules.password("12345678").count == 8)
    }

    @Test func `a full cache forgets what was not used, and never grows over its bound`() {
        var cache = BoundedCache<Int, Int>(limit: 10)
        for number in 0..<10 { cache.keep(number, for: number) }
        #expect(cache.value(0) == 0)
        cache.keep(10, for: 10)
        #expect(cache.count <= 10)
        #expect(cache.value(0) == 0)
        #expect(cache.value(1) == nil)
        for number in 0..<1_000 { cache.keep(number, for: number) }
        #expect(cache.count <= 10)
    }

    @Test func `a label has no control characters, not even those beyond ASCII`() {
        #expect(throws: AccountDeskError.self) { try AccountRules.label("a\u{85}b") }
        #expect(throws: Never.self) { try AccountRules.label("Übergabe 1") }
    }

    @Test func `one client does not fill the queue of passwords to check`() async throws {
        let pool = ScryptPool(threads: 1, queue: 7)
        let refused = try await withThrowingTaskGroup(of: String?.self) { tasks in
            for client in [String](repeating: "guesser", count: 20) + ["other"] {
                tasks.addTask {
                    do {
                        _ = try await pool.fits([1], .decoy, for: client)
                        return nil
                    } catch is ScryptPool.Full {
                        return client
                    }
                }
            }
            var refused: Set<String> = []
            for try await client in tasks { if let client { refused.insert(client) } }
            return refused
        }
        #expect(refused == ["guesser"])
    }
}
