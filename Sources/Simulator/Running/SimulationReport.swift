/// What is shown of runs, in words.
package enum SimulationReport {
    package static func summary(_ result: Sweep.Result, _ settings: SimulationSettings) -> String {
        let runs =
            result.runs == 1 ? "seed \(settings.seed)" : "\(result.runs) seeds from \(settings.seed) on"
        let twin = settings.twin.map { ", twin \($0.rawValue)" } ?? ""
        let verdict = result.broken.map { "seed \($0.settings.seed) broke a rule" } ?? "every rule held"
        return "\(runs), \(settings.nodes) nodes, \(settings.minutes) minutes each\(twin): \(verdict); "
            + "\(result.events) events, digest \(Self.hexadecimal(result.digest))"
    }

    package static func counters(_ result: Sweep.Result) -> String {
        Coverage.Situation.allCases.map { situation in
            let count = "\(result.coverage[situation])"
            return String(repeating: " ", count: max(0, 12 - count.count)) + count + "  " + situation.words
        }.joined(separator: "\n")
    }

    /// - Parameter seconds: of one core.
    package static func speed(_ result: Sweep.Result, seconds: Double) -> String {
        let hours = Double(result.simulated) / Double(60 * Span.minute)
        let perMinute = seconds > 0 ? hours / seconds * 60 : 0
        return "simulated hours per minute of one core: \(Self.tenths(perMinute)) "
            + "(\(Self.tenths(hours)) h in \(Self.tenths(seconds)) s)"
    }

    package static func violation(_ broken: SimulationOutcome, shortest: SimulationOutcome, runs: Int)
        -> String
    {
        guard let violation = shortest.violation else { return "" }
        let told = shortest.story.suffix(Self.storyMax)
        let omitted = shortest.story.count - told.count
        var lines = [
            "",
            "\(violation.invariant.rawValue) is broken: \(violation.invariant.sentence).",
            "Seed \(broken.settings.seed) broke it after \(broken.plan.faults.count) faults; the shortest story "
                + "found in \(runs) runs has \(shortest.plan.faults.count) faults and \(shortest.settings.nodes) nodes:",
            "",
        ]
        if omitted > 0 { lines.append("           (\(omitted) lines before this)") }
        return (lines + told).joined(separator: "\n")
    }

    private static let storyMax = 200

    private static func hexadecimal(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
