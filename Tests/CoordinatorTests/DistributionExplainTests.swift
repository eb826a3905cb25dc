import ClusterModel
import Coordinator
import Testing

@Suite struct DistributionExplainTests {
    private static func reasons(
        _ backlog: LaneBacklog, _ members: [Member], hands: [Slot: ExplainJob.Hands] = [:]
    ) -> [Int16: [ExplainJob.Reason]] {
        let verdicts = ExplainJob(backlog: backlog, view: Cases.view(members)).verdicts(hands: hands)
        return Dictionary(uniqueKeysWithValues: verdicts.map { ($0.slot.rawValue, $0.reasons) })
    }

    @Test func `places drains deaths and loads are told`() {
        let members = [
            Cases.member(1, attributes: ["zone": "a"]), Cases.member(2, attributes: ["zone": "b"]),
            Cases.member(3, .draining), Cases.member(4, .dead),
            Cases.member(5, attributes: ["zone": "a"], load: 1.5),
        ]
        let reasons = Self.reasons(Cases.lane(1, ready: 1, requires: ["zone=a"]), members)
        #expect(
            reasons == [
                1: [], 2: [.missing(["zone=a"])], 3: [.draining], 4: [.dead], 5: [.overloaded(1.5)],
            ])
    }

    @Test func `an empty set is everybody and says so`() {
        let members = [Cases.member(1), Cases.member(2, load: 2)]
        let explain = ExplainJob(
            backlog: Cases.lane(1, ready: 1, requires: ["gpu=yes"]), view: Cases.view(members))
        let verdicts = explain.verdicts()
        #expect(verdicts.map(\.mayTake) == [true, false])
        #expect(verdicts.first?.reasons == [.nobodyHas(["gpu=yes"])])
        let all = Self.reasons(Cases.lane(1, ready: 1), [Cases.member(1, load: 3)])
        #expect(all == [1: [.allOverloaded]])
    }

    @Test func `limits and hands are told`() {
        let hands = ExplainJob.Hands(capacity: 4, running: 4, ofKind: 2, handles: false)
        let backlog = Cases.lane(1, ready: 1, room: 0, perNode: 2)
        let reasons = Self.reasons(backlog, [Cases.member(1), Cases.member(2)], hands: [Slot(1): hands])
        #expect(reasons == [1: [.limited, .noHandler, .full(4), .perNode(2)], 2: [.limited]])
        for reason in reasons[1] ?? [] { #expect(!reason.description.isEmpty && reason.isBar) }
    }

    @Test func `the explanation agrees with what a node does`() {
        var lots = Lots(seed: 3)
        for _ in 0..<300 {
            let members = (1...5).map { slot in
                Cases.member(
                    slot, MemberStatus.allCases.randomElement(using: &lots) ?? .active,
                    attributes: Bool.random(using: &lots) ? ["zone": "a"] : [:],
                    load: Bool.random(using: &lots) ? 0 : 2)
            }
            let backlog = Cases.lane(
                1, ready: 9, requires: Bool.random(using: &lots) ? ["zone=a"] : [],
                account: Cases.account(UInt8.random(in: 0...9, using: &lots)))
            let nodes = ServingNodes(Cases.view(members))
            let verdicts = ExplainJob(backlog: backlog, view: Cases.view(members)).verdicts()
            for verdict in verdicts {
                let serves = nodes.serving(backlog.requires).contains { $0.slot == verdict.slot }
                #expect(verdict.mayTake == serves, "\(members) \(verdict)")
            }
        }
    }

    @Test func `an account's place moves only to or from the node that comes or goes`() {
        let slots = (1...20).map { Slot(Int16($0)) }
        var moved = 0
        var first: [Int] = []
        for number in UInt8.min...UInt8.max {
            let account = Cases.account(number)
            let before = slots.first { Rendezvous.place(of: $0, among: slots, for: account) == 0 }
            let less = slots.filter { $0 != Slot(7) }
            let after = less.first { Rendezvous.place(of: $0, among: less, for: account) == 0 }
            if before != after {
                moved += 1
                #expect(before == Slot(7))
            }
            first.append(Int(before?.rawValue ?? 0))
        }
        #expect((4...25).contains(moved))
        #expect(Set(first).count == 20)
        #expect(Rendezvous.place(of: Slot(3), among: slots, for: nil) == 0)
    }
}
