import ClusterModel
import Coordinator
import Testing

/// The figure `shard.balance`: uneven load, nodes that join, die, drain, load that shifts.
@Suite struct ShardBalanceFigureTests {
    struct Figure {
        var worst = 0.0
        var moves = 0
        var needed = 0
        var forced = 0
        var steps = 0
        var unserved = 0
        var firstMoves = 0
        var firstNeeded = 0
    }

    /// After each step two minutes pass; then it is measured.
    static func figure(_ seed: Int, part: Double = 0.02, most: Int = 8, steps: Int = 10) -> (
        Figure, ShardWorld
    ) {
        let world = ShardWorld(seed)
        var figure = Figure()
        // With 0.02 the heaviest shard has 9 % of the load, with 0 16 %: more than the mean of seven equal nodes.
        world.truth = world.dice.zipf(part: part)
        for number in 1...5 { world.join("worker-\(number)", capacity: part == 0 ? 4 : [8, 8, 4][seed % 3]) }
        // Nobody knows any load yet; it shows, and is balanced.
        world.run(2)
        figure.firstNeeded = world.moves.count + world.need(band: ShardRules.standard.band)
        world.run(118)
        figure.firstMoves = world.moves.count
        figure.worst = world.ratio
        var joined = 5
        for _ in 0..<steps {
            let before = world.moves.count
            switch Int.random(in: 0..<4, using: &world.dice) {
            case 0 where world.active.count < most, 1 where world.active.count < 4:
                joined += 1
                world.join("worker-\(joined)", capacity: part > 0 && seed % 3 == 2 ? 8 : 4)
            case 1:
                world.die(world.active.randomElement(using: &world.dice) ?? 0)
            case 2 where world.active.count > 3:
                world.drain(world.active.randomElement(using: &world.dice) ?? 0)
            default:
                // A tenth of the shards is swapped with others.
                for _ in 0..<13 {
                    world.truth.swapAt(
                        Int.random(in: 0...255, using: &world.dice),
                        Int.random(in: 0...255, using: &world.dice))
                }
            }
            figure.needed += world.need(band: ShardRules.standard.band)
            world.run(120)
            figure.moves += world.moves.count - before
            figure.forced += world.moves[before...].count { $0.move.isForced }
            figure.worst = max(figure.worst, world.ratio)
            figure.steps += 1
            figure.unserved += ShardNumber.count - world.served
        }
        return (figure, world)
    }

    private static func sum(_ seeds: ClosedRange<Int>, part: Double, most: Int) -> Figure {
        var all = Figure()
        for seed in seeds {
            let (figure, world) = Self.figure(seed, part: part, most: most)
            #expect(figure.worst <= 1.15, "seed \(seed)")
            #expect(figure.unserved == 0, "seed \(seed)")
            #expect(world.overlaps == 0 && world.table.brokenGrants == 0, "seed \(seed)")
            all.worst = max(all.worst, figure.worst)
            all.moves += figure.moves
            all.needed += figure.needed
            all.forced += figure.forced
            all.steps += figure.steps
            all.firstMoves += figure.firstMoves
            all.firstNeeded += figure.firstNeeded
        }
        print(
            "shard.balance: \(all.steps) steps, worst \(all.worst), moves \(all.moves) (forced \(all.forced)),",
            "needed \(all.needed); from nothing: moves \(all.firstMoves), needed \(all.firstNeeded)")
        return all
    }

    @Test func `two minutes after every change the most loaded carries at most 1.15 of the mean`() {
        let all = Self.sum(1...5, part: 0.02, most: 8)
        #expect(Double(all.moves) <= Double(all.needed) * 1.05)
        #expect(Double(all.firstMoves) <= Double(all.firstNeeded) * 1.05)
    }

    @Test func `so it does when one shard has a sixth of the load`() {
        let all = Self.sum(1...3, part: 0, most: 5)
        #expect(Double(all.moves) <= Double(all.needed) * 1.05)
    }
}
