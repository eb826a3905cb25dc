import ClusterModel

/// Numbers that a seed decides: SplitMix64.
struct ShardDice: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: Int) { self.state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

    /// The k-th largest of 256 is 1/k^exponent of the largest; in an order of the seed's, 1,000 in all.
    mutating func zipf(exponent: Int = 1, part: Double = 0) -> [Double] {
        let raw = (1...ShardNumber.count).map { rank in
            part + (1 - part) * (0..<exponent).reduce(1.0) { value, _ in value / Double(rank) }
        }
        let sum = raw.reduce(0, +)
        return raw.map { $0 / sum * 1_000 }.shuffled(using: &self)
    }
}
