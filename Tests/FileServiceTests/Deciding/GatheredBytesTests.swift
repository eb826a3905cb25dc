import FileService
import NIOCore
import Testing

@Suite struct GatheredBytesTests {
    private func bytes(_ count: Int, _ value: UInt8) -> ByteBuffer {
        ByteBuffer(repeating: value, count: count)
    }

    @Test func `small pieces come together, and all come out in their order`() {
        var gathered = GatheredBytes(budget: GatherBudget())
        for value in 0..<200 { gathered.add(self.bytes(100, UInt8(value))) }
        gathered.add(self.bytes(100_000, 200))
        gathered.add(self.bytes(3, 201))
        let count = gathered.count
        #expect(count == 120_003)
        let taken = gathered.take()
        #expect(taken.count < 10)
        var all = ByteBuffer()
        for piece in taken { all.writeImmutableBuffer(piece) }
        var expected = ByteBuffer()
        for value in 0..<200 { expected.writeRepeatingByte(UInt8(value), count: 100) }
        expected.writeRepeatingByte(200, count: 100_000)
        expected.writeRepeatingByte(201, count: 3)
        #expect(all == expected)
        let (left, nothing) = (gathered.count, gathered.take())
        #expect(left == 0 && nothing.isEmpty)
    }

    @Test func `memory counts until what was taken after it is accepted`() {
        let budget = GatherBudget()
        do {
            var gathered = GatheredBytes(budget: budget)
            gathered.add(self.bytes(50_000, 1))
            let first = budget.inUse
            #expect(first >= 50_000)
            _ = gathered.take()
            gathered.accepted()
            // It may still be on its way.
            #expect(budget.inUse == first)
            gathered.add(self.bytes(20_000, 2))
            _ = gathered.take()
            #expect(budget.inUse >= first + 20_000)
            gathered.accepted()
            #expect(budget.inUse < first && budget.inUse >= 20_000)
            gathered.add(self.bytes(7, 3))
        }
        #expect(budget.inUse == 0)
    }

    @Test func `pieces are large while there is room, larger while the mount is busy, and small without`() {
        let budget = GatherBudget(bytes: 1_000_000)
        var gathered = GatheredBytes(budget: budget)
        gathered.add(self.bytes(GatherBudget.roomy, 1))
        let (isPiece, isLarge) = (gathered.isEnough(), gathered.isEnough(while: true))
        #expect(isPiece && !isLarge)
        var other = GatheredBytes(budget: budget)
        other.add(self.bytes(GatherBudget.scarce, 1))
        let isSmallPiece = other.isEnough()
        #expect(!isSmallPiece)
        budget.change(by: 400_000)
        // More than half is used: nobody takes more than a piece.
        let (isLargeNow, isSmallNow) = (gathered.isEnough(while: true), other.isEnough())
        #expect(isLargeNow && !isSmallNow)
        budget.change(by: 600_000)
        let (isScarce, isScarceMeanwhile) = (other.isEnough(), other.isEnough(while: true))
        #expect(isScarce && isScarceMeanwhile)
        budget.change(by: -1_000_000)
    }
}
