import ClusterModel
import FileService
import Testing

@Suite struct ClearingOrderTests {
    private static func incarnation(_ number: Int64) throws -> Incarnation {
        try #require(Incarnation(rawValue: number))
    }

    @Test func `what could not be cleared comes last, and takes turns`() throws {
        let all = try (1...4).map { try Self.incarnation($0) }
        var order = ClearingOrder()
        #expect(order.order(all) == all)
        order.couldNotClear(all[0])
        order.couldNotClear(all[1])
        #expect(order.order(all) == [all[2], all[3], all[0], all[1]])
        order.couldNotClear(all[0])
        #expect(order.order(all) == [all[2], all[3], all[1], all[0]])
        order.cleared(all[1])
        #expect(order.order(all) == [all[1], all[2], all[3], all[0]])
        // What is not due any more is forgotten.
        #expect(order.order([all[1]]) == [all[1]])
        #expect(order.order(all) == all)
    }
}
