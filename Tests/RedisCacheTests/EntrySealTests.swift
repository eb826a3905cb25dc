import ClusterModel
import ClusterPorts
import Foundation
import RedisCache
import Testing

@Suite struct EntrySealTests {
    private let cluster = ClusterID(UUID())
    private let name = CacheName(kind: "account", subject: "alice")
    private let entry = CachedBytes(bytes: Array("payload".utf8), version: ConfigVersion(258))

    private var seal: EntrySeal {
        EntrySeal(clusterKey: Array(repeating: 7, count: 32), cluster: self.cluster)
    }

    @Test(arguments: [0, 1, 258, Int64.max, -1])
    func `what was sealed is opened`(_ version: Int64) {
        for bytes in [[], [0], Array("payload".utf8)] {
            let entry = CachedBytes(bytes: bytes, version: ConfigVersion(version))
            #expect(self.seal.open(self.seal.seal(entry, as: self.name), as: self.name) == entry)
        }
    }

    @Test func `every changed bit is noticed`() {
        let sealed = self.seal.seal(self.entry, as: self.name)
        for index in sealed.indices {
            for bit in 0..<8 {
                var changed = sealed
                changed[index] ^= 1 << bit
                #expect(self.seal.open(changed, as: self.name) == nil, "byte \(index), bit \(bit)")
            }
        }
    }

    @Test func `every cut and every addition is noticed`() {
        let sealed = self.seal.seal(self.entry, as: self.name)
        for length in sealed.indices {
            #expect(self.seal.open(Array(sealed[..<length]), as: self.name) == nil)
        }
        #expect(self.seal.open(sealed + [0], as: self.name) == nil)
    }

    @Test func `an entry is good under its own name only`() {
        let sealed = self.seal.seal(self.entry, as: CacheName(kind: "ab", subject: "c"))
        #expect(self.seal.open(sealed, as: CacheName(kind: "a", subject: "bc")) == nil)
        #expect(self.seal.open(sealed, as: CacheName(kind: "ab", subject: "d")) == nil)
        #expect(self.seal.open(sealed, as: CacheName(kind: "ab", subject: "c")) == self.entry)
    }

    @Test func `another cluster or another key opens nothing`() {
        let sealed = self.seal.seal(self.entry, as: self.name)
        let otherCluster = EntrySeal(clusterKey: Array(repeating: 7, count: 32), cluster: ClusterID(UUID()))
        let otherKey = EntrySeal(clusterKey: Array(repeating: 8, count: 32), cluster: self.cluster)
        #expect(otherCluster.open(sealed, as: self.name) == nil)
        #expect(otherKey.open(sealed, as: self.name) == nil)
    }
}
