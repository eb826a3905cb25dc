import ClusterModel

/// Rendezvous hashing, weighted: for each shard every node has a score of its own, and the highest should have it.
///
/// A node that comes wins its part from all others and moves nothing between them; when one goes, only what it had
/// moves. Chances are as the capacities are. By name, so that a restarted node wants what it had.
enum ShardScore {
    /// A number for the name, the same on every machine and in every version: FNV-1a.
    static func key(_ name: NodeName) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.description.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }

    /// Higher wins: capacity / -ln(u), where u is as good as drawn for this node and shard.
    static func score(_ number: ShardNumber, key: UInt64, capacity: Double) -> Double {
        var mixed = key ^ (UInt64(number.rawValue) &+ 1) &* 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        mixed ^= mixed >> 31
        let drawn = (Double(mixed >> 11) + 0.5) / 9_007_199_254_740_992
        return capacity / -Self.logarithm(drawn)
    }

    /// The natural one, of a number above 0, in plain arithmetic: no library's last bit decides anything.
    static func logarithm(_ number: Double) -> Double {
        let part = (number.significand - 1) / (number.significand + 1)  // At most 1/3.
        let square = part * part
        var sum = 0.0
        for odd in stride(from: 19.0, through: 1, by: -2) { sum = sum * square + 1 / odd }
        return 2 * part * sum + Double(number.exponent) * 0.693_147_180_559_945_3
    }
}
