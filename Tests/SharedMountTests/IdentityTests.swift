import ClusterModel
import ClusterPorts
import Foundation
import SharedMount
import Synchronization
import Testing

@Suite struct IdentityTests {
    @Test func `of two vaults that establish at the same moment one wins, a hundred times`() async throws {
        for _ in 0..<100 {
            let folder = TemporaryMount.freshFolder()
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let vaults = [PosixVault(root: folder), PosixVault(root: folder)]
            let proposals = [TemporaryMount.proposal(), TemporaryMount.proposal()]
            let found = try await withThrowingTaskGroup(of: MountIdentity.self) { group in
                for (vault, proposal) in zip(vaults, proposals) {
                    group.addTask { try await vault.establish(proposal) }
                }
                return try await group.reduce(into: Set<MountIdentity>()) { $0.insert($1) }
            }
            #expect(found.count == 1)
            #expect(found.isSubset(of: proposals))
            for vault in vaults {
                #expect(try await vault.identity() == found.first)
                await vault.shutDown()
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/.flotilla")
            let spare = ["spare", "spare-start", "spare-start-i", "spare-start-u"]
            #expect(left.sorted() == ["cluster", "incarnations"] + spare + ["staging", "trash"])
        }
    }

    @Test func `a missing root is foreign and is not made`() async throws {
        let folder = TemporaryMount.freshFolder() + "-gone"
        let vault = PosixVault(root: folder)
        await #expect(throws: VaultError.self) { try await vault.establish(TemporaryMount.proposal()) }
        do {
            _ = try await vault.identity()
            Issue.record("a missing root has no identity")
        } catch {
            guard case .foreign = error else { throw error }
            #expect(!error.description.contains(folder))
        }
        #expect(!FileManager.default.fileExists(atPath: folder))
        await vault.shutDown()
    }

    @Test func `an unused mount has no identity and no incarnation`() async throws {
        let folder = TemporaryMount.freshFolder()
        let vault = PosixVault(root: folder)
        #expect(try await vault.identity() == nil)
        #expect(try await vault.highestIncarnation() == nil)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        await vault.shutDown()
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test(arguments: [
        "", "flotilla-mount 1\n", "flotilla-mount 1\ncluster x\nnonce 00\n",
        String(repeating: "x", count: 4_000),
    ])
    func `garbage in the identity file is refused and named`(_ text: String) async throws {
        try await TemporaryMount.with { mount async throws in
            try text.write(toFile: "\(mount.folder)/.flotilla/cluster", atomically: true, encoding: .utf8)
            do {
                _ = try await mount.vault.identity()
                Issue.record("garbage was read as an identity")
            } catch let error as VaultError {
                guard case .foreign(let why) = error else { throw error }
                #expect(why.contains(".flotilla/cluster"))
            }
        }
    }

    @Test func `incarnations are noted once, in any order, and the highest is known`() async throws {
        try await TemporaryMount.with { mount async throws in
            for number: Int64 in [5, 4, 7] {
                #expect(try await mount.vault.note(Incarnation(rawValue: number).unsafelyKnown))
                #expect(try await !mount.vault.note(Incarnation(rawValue: number).unsafelyKnown))
            }
            #expect(try await mount.vault.highestIncarnation()?.rawValue == 7)
            #expect(try await mount.vault.stagingIncarnations().map(\.rawValue) == [1, 4, 5, 7])
        }
    }

    @Test func `an incarnation older than all that are kept is refused`() async throws {
        try await TemporaryMount.with { mount async throws in
            for number: Int64 in 1_000..<1_300 {
                #expect(try await mount.vault.note(Incarnation(rawValue: number).unsafelyKnown))
            }
            #expect(try await !mount.vault.note(Incarnation(rawValue: 2).unsafelyKnown))
            #expect(try await !mount.vault.note(Incarnation(rawValue: 1_010).unsafelyKnown))
            #expect(mount.names(below: ".flotilla/incarnations").count <= 257)
            #expect(try await mount.vault.highestIncarnation()?.rawValue == 1_299)
        }
    }
}

@Suite struct ProbeTests {
    @Test func `a probe of the right mount succeeds and of another fails everything till it is right again`()
        async throws
    {
        try await TemporaryMount.with { mount async throws in
            try await mount.vault.probe(expecting: mount.identity, within: .seconds(10))
            await #expect(throws: VaultError.self) {
                try await mount.vault.probe(expecting: TemporaryMount.proposal(), within: .seconds(10))
            }
            await #expect(throws: VaultError.self) {
                try await mount.vault.stage(UUID(), for: TemporaryMount.first)
            }
            try await mount.vault.probe(expecting: mount.identity, within: .seconds(10))
            try await mount.put("x", at: "a")
        }
    }

    @Test func `a probe that hangs fails at its deadline, and so does the next one at once`() async throws {
        let gate = DispatchSemaphore(value: 0)
        let hangs = Mutex(true)
        var options = PosixVault.Options()
        options.beforeProbe = { if hangs.withLock({ $0 }) { gate.wait() } }
        try await TemporaryMount.with(options: options) { mount async throws in
            for _ in 0..<2 {
                await #expect {
                    try await mount.vault.probe(expecting: mount.identity, within: .milliseconds(50))
                } throws: { error in
                    if case .hanging = error as? VaultError { true } else { false }
                }
            }
            try await mount.put("others go on", at: "a")
            hangs.withLock { $0 = false }
            gate.signal()
            let end = ContinuousClock.now + .seconds(10)
            while true {
                do {
                    return try await mount.vault.probe(expecting: mount.identity, within: .seconds(10))
                } catch {
                    try #require(ContinuousClock.now < end, "the probe never came back: \(error)")
                }
            }
        }
    }
}
