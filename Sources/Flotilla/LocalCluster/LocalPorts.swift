/// The ports of a local cluster, all counted from one base, so that a slot keeps its own for ever.
package struct LocalPorts: Sendable, Equatable, Codable {
    package var base: Int

    package init(base: Int) { self.base = base }

    /// Where clients reach the files of any worker.
    package var files: Int { self.base }
    /// Where operators reach any worker.
    package var admin: Int { self.base + 1 }
    package var redis: Int { self.base + 50 }
    package func files(ofWorker number: Int) -> Int { self.base + 100 + number }
    package func admin(ofWorker number: Int) -> Int { self.base + 200 + number }

    package func agent(ofWorker number: Int) -> Int { self.base + 225 + number }

    private static let width = 250

    package var all: [Int] {
        let workers = 1...LocalClusterOptions.workersMax
        return [self.files, self.admin, self.redis]
            + workers.flatMap {
                [self.files(ofWorker: $0), self.admin(ofWorker: $0), self.agent(ofWorker: $0)]
            }
    }

    /// The first base from the wanted one on, in steps of ``width``, all of whose ports are free; nil after 100
    /// tries.
    ///
    /// The balancer asks all slots, taken or not: ranges that overlap would mix the workers of two clusters.
    package static func choose(from wanted: Int, isFree: (Int) -> Bool) -> LocalPorts? {
        (0..<100).lazy.map { LocalPorts(base: wanted + Self.width * $0) }
            .prefix { $0.agent(ofWorker: LocalClusterOptions.workersMax) <= 65_535 }
            .first { $0.all.allSatisfy(isFree) }
    }
}
