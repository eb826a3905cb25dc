/// Numbers that a seed decides: SplitMix64, the same on every machine and in every version of this program.
package struct SeededRandom: Sendable, Equatable {
    private var state: UInt64

    package init(seed: UInt64) { self.state = seed }

    package mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(self.state)
    }

    /// A good hash of one number; also what makes the streams of a run differ from one another.
    package static func mixed(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Another stream, told apart by a label: what one part of a run draws does not move the numbers of another.
    package func stream(_ label: UInt64) -> SeededRandom {
        SeededRandom(seed: Self.mixed(self.state ^ Self.mixed(label &+ 1)))
    }

    /// From 0 to `bound` less one; 0 where the bound is not positive.
    package mutating func below(_ bound: Int) -> Int {
        guard bound > 1 else { return 0 }
        return Int((self.next().multipliedFullWidth(by: UInt64(bound))).high)
    }

    package mutating func between(_ low: Int64, _ high: Int64) -> Int64 {
        guard high > low else { return low }
        return low + Int64(self.below(Int(high - low + 1)))
    }

    /// True in so many of a thousand draws.
    package mutating func chance(_ permille: Int) -> Bool {
        guard permille > 0 else { return false }
        return self.below(1_000) < permille
    }

    package mutating func pick<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[self.below(elements.count)]
    }

    package mutating func shuffle<Element>(_ elements: inout [Element]) {
        guard elements.count > 1 else { return }
        for index in stride(from: elements.count - 1, to: 0, by: -1) {
            elements.swapAt(index, self.below(index + 1))
        }
    }
}
