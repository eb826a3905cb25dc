import ClusterModel
import ClusterPorts
import ClusterRuntime
import Foundation
import Testing

@Suite struct MountBindingTests {
    static let cluster = ClusterID(UUID(uuid: (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)))
    static let other = ClusterID(UUID(uuid: (2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2)))

    static func nonce(_ byte: UInt8) throws -> MountNonce {
        try #require(MountNonce(Array(repeating: byte, count: 16)))
    }

    static func facts(_ nonce: MountNonce?) -> ClusterFacts {
        ClusterFacts(
            cluster: Self.cluster, mountNonce: nonce, memberLimit: 20, schemaVersion: 1, minReaderVersion: 1,
            cacheKey: Array(repeating: 0, count: 32), configVersion: ConfigVersion(1), connectionLimit: 97)
    }

    static func isRefused(_ verdict: MountBinding.Verdict) -> Bool {
        if case .refuse = verdict { return true }
        return false
    }

    @Test func `the first node of a cluster makes the file`() {
        #expect(MountBinding.judge(Self.facts(nil), mount: nil) == .establish)
    }

    @Test func `mount and database that name each other are bound`() throws {
        let nonce = try Self.nonce(1)
        let mount = MountIdentity(cluster: Self.cluster, nonce: nonce)
        #expect(MountBinding.judge(Self.facts(nonce), mount: mount) == .bound)
    }

    @Test func `a start that was cut short is completed`() throws {
        let nonce = try Self.nonce(1)
        let mount = MountIdentity(cluster: Self.cluster, nonce: nonce)
        #expect(MountBinding.judge(Self.facts(nil), mount: mount) == .record(nonce))
    }

    @Test func `an unmounted mount point is refused and never established anew`() throws {
        #expect(Self.isRefused(MountBinding.judge(Self.facts(try Self.nonce(1)), mount: nil)))
    }

    @Test func `another cluster's mount is refused`() throws {
        let mount = MountIdentity(cluster: Self.other, nonce: try Self.nonce(1))
        #expect(Self.isRefused(MountBinding.judge(Self.facts(nil), mount: mount)))
        #expect(Self.isRefused(MountBinding.judge(Self.facts(try Self.nonce(1)), mount: mount)))
    }

    @Test func `a copy of the mount is refused`() throws {
        let mount = MountIdentity(cluster: Self.cluster, nonce: try Self.nonce(2))
        #expect(Self.isRefused(MountBinding.judge(Self.facts(try Self.nonce(1)), mount: mount)))
    }
}
