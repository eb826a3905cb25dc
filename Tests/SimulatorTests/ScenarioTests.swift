import Foundation
import Simulator
import Testing

@Suite struct ScenarioTests {
    private static var scripts: [URL] {
        let folder = Bundle.module.url(forResource: "Scenarios", withExtension: nil)
        let files = folder.flatMap {
            try? FileManager.default.contentsOfDirectory(at: $0, includingPropertiesForKeys: nil)
        }
        return (files ?? []).filter { $0.pathExtension == "story" }.sorted { $0.path < $1.path }
    }

    @Test func `every script comes true`() throws {
        #expect(Self.scripts.count >= 9)
        for url in Self.scripts {
            let script = try String(contentsOf: url, encoding: .utf8)
            let scenario = try Scenario(name: url.deletingPathExtension().lastPathComponent, script: script)
            for seed in 1...3 as ClosedRange<UInt64> {
                let outcome = ScenarioRun.run(scenario, seed: seed)
                #expect(
                    outcome.failures.isEmpty,
                    "\(scenario.name), seed \(seed): \(outcome.failures)\n\(outcome.story.suffix(60).joined(separator: "\n"))"
                )
            }
        }
    }

    @Test func `what does not come true is said with its line`() throws {
        let scenario = try Scenario(
            name: "wrong", script: "nodes 3\nat 8s pause node-2 for 1s\nexpect node-2 dead within 3s")
        #expect(ScenarioRun.run(scenario).failures == ["line 3: node-2 was not dead within 3000 ms"])
    }

    @Test(arguments: [
        ("nodes 0", "line 1: “0” is no number from 1 to 50"),
        ("\nat 3s explode node-1", "line 2: “explode” is no kind of fault"),
        ("at soon kill node-1", "line 1: “soon” is no time: 250ms, 3s and 2min are"),
        ("at 3s kill node-9", "line 1: “node-9” is none of the nodes node-1 to node-3"),
        ("expect node-1 happy within 3s", "line 1: “happy” is neither dead nor living"),
        ("expect node-1 dead", "line 1: “within” is missing"),
        ("at 3s kill node-1 again", "line 1: “again” is too much"),
        ("hello", "line 1: “hello” is neither nodes, at nor expect"),
    ])
    func `a script that cannot be read names the line and the word`(script: String, reason: String) {
        let error = #expect(throws: Scenario.Unreadable.self) { try Scenario(name: "x", script: script) }
        #expect(error?.description == reason)
    }
}
