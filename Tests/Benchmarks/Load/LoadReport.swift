import Foundation

/// The line that a load prints; deploy/bench reads it.
struct LoadReport: Encodable {
    let load: String
    let tasks: Int
    /// What the operations are, so that nobody takes statements for rows.
    let unit: String
    let operations: Int
    /// With those of the warm-up: what the servers worked for.
    let operationsInAll: Int
    /// Answered with "absent": in time for the caller, but not by the server.
    let misses: Int
    let seconds: Double
    let rate: Double
    let cpuSeconds: Double
    let cpuMicrosecondsEach: Double
    let p50Milliseconds: Double?
    let p99Milliseconds: Double?
    let residentBytes: Int
    /// What else the load wants to say, by name.
    var remarks: [String: Double] = [:]

    init(_ load: String, unit: String, tasks: Int, _ measurement: Measurement) {
        let course = measurement.course
        self.load = load
        self.tasks = tasks
        self.unit = unit
        self.operations = course.operations
        self.operationsInAll = course.operations + course.before
        self.misses = course.misses
        self.seconds = measurement.seconds
        self.rate = Double(course.operations) / measurement.seconds
        self.cpuSeconds = measurement.cpuSeconds
        self.cpuMicrosecondsEach = measurement.cpuSeconds * 1_000_000 / Double(max(1, course.operations))
        self.p50Milliseconds = course.latencies.milliseconds(at: 0.5)
        self.p99Milliseconds = course.latencies.milliseconds(at: 0.99)
        self.residentBytes = ProcessUsage.residentBytes
    }

    func printLine() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        encoder.keyEncodingStrategy = .convertToSnakeCase
        print(String(decoding: try encoder.encode(self), as: UTF8.self))
    }
}
