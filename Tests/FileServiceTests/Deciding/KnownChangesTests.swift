import ClusterModel
import ClusterPorts
import FileService
import Testing

struct KnownChangesTests {
    private let alice = CacheName(kind: "account", subject: "alice")
    private let bob = CacheName(kind: "account", subject: "bob")

    private func change(_ version: Int64, _ names: CacheName...) -> ConfigChange {
        ConfigChange(version: ConfigVersion(version), names: names)
    }

    @Test func `before the first heartbeat nothing is believed, and then nothing older than it`() {
        var known = KnownChanges()
        #expect(known.needed(for: [self.alice]) == nil)
        #expect(known.heard(ConfigVersion(10)) == .upToDate)
        #expect(known.needed(for: [self.alice]) == ConfigVersion(10))
    }

    @Test func `a change makes older entries of its name void, and of no other`() {
        var known = KnownChanges()
        _ = known.heard(ConfigVersion(10))
        #expect(known.heard(ConfigVersion(12)) == .read(after: ConfigVersion(10)))
        known.read(
            [self.change(11, self.bob), self.change(12, self.alice)], heard: ConfigVersion(12),
            isComplete: true)
        #expect(known.heard(ConfigVersion(12)) == .upToDate)
        #expect(known.needed(for: [self.alice]) == ConfigVersion(12))
        #expect(known.needed(for: [self.bob]) == ConfigVersion(11))
        #expect(known.needed(for: [self.bob, self.alice]) == ConfigVersion(12))
    }

    @Test func `an incomplete page gets no further than its last change`() {
        var known = KnownChanges()
        _ = known.heard(ConfigVersion(10))
        known.read([self.change(11, self.bob)], heard: ConfigVersion(20), isComplete: false)
        #expect(known.heard(ConfigVersion(20)) == .read(after: ConfigVersion(11)))
    }

    @Test func `what was read past the heartbeat counts too`() {
        var known = KnownChanges()
        _ = known.heard(ConfigVersion(10))
        known.read([self.change(15, self.alice)], heard: ConfigVersion(12), isComplete: true)
        #expect(known.heard(ConfigVersion(14)) == .upToDate)
        #expect(known.needed(for: [self.alice]) == ConfigVersion(15))
    }

    @Test
    func `a history that does not reach back, a wildcard and too many names make everything older void`() {
        var forgotten = KnownChanges()
        _ = forgotten.heard(ConfigVersion(10))
        forgotten.read(nil, heard: ConfigVersion(50), isComplete: true)
        #expect(forgotten.needed(for: [self.bob]) == ConfigVersion(50))
        #expect(forgotten.heard(ConfigVersion(50)) == .upToDate)

        var wild = KnownChanges()
        _ = wild.heard(ConfigVersion(10))
        let all = CacheName(kind: "*", subject: "*")
        wild.read(
            [self.change(11, all), self.change(12, self.alice)], heard: ConfigVersion(12), isComplete: true)
        #expect(wild.needed(for: [self.bob]) == ConfigVersion(11))
        #expect(wild.needed(for: [self.alice]) == ConfigVersion(12))

        var small = KnownChanges(limit: 1)
        _ = small.heard(ConfigVersion(10))
        small.read(
            [self.change(11, self.bob), self.change(12, self.alice)], heard: ConfigVersion(12),
            isComplete: true)
        #expect(small.needed(for: [self.bob]) == ConfigVersion(12))
    }
}
