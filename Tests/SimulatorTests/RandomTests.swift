import Simulator
import Testing

@Suite struct RandomTests {
    @Test func `a seed gives the same numbers for ever`() {
        var lots = SeededRandom(seed: 1)
        #expect(
            (0..<3).map { _ in lots.next() } == [
                0x910A_2DEC_8902_5CC1, 0xBEEB_8DA1_658E_EC67, 0xF893_A2EE_FB32_555E,
            ])
    }

    @Test func `numbers stay below their bound, and all of them come`() {
        var lots = SeededRandom(seed: 7)
        #expect(Set((0..<1_000).map { _ in lots.below(6) }) == Set(0..<6))
        #expect(lots.below(0) == 0)
        #expect(lots.between(5, 5) == 5)
        #expect((0..<1_000).allSatisfy { _ in (3...9).contains(lots.between(3, 9)) })
    }

    @Test func `streams of one seed differ, and do not move each other`() {
        let root = SeededRandom(seed: 3)
        var first = root.stream(1)
        var second = root.stream(2)
        #expect(first.next() != second.next())
        var again = root.stream(1)
        _ = again.next()
        #expect(first.next() == again.next())
    }

    @Test func `events come by time, and equal times in the order of asking`() {
        var queue = EventQueue()
        var lots = SeededRandom(seed: 11)
        for number in 0..<2_000 { queue.add(.call, at: Int64(lots.below(50)), value: number) }
        var last: Event?
        while let event = queue.popFirst() {
            if let last { #expect((last.at, last.order) < (event.at, event.order)) }
            last = event
        }
        #expect(queue.count == 0)
    }
}
