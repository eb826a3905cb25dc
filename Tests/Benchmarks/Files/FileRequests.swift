import ArgumentParser
import Foundation
import Glibc
import Synchronization

/// GETs of the same files, PUTs of new ones, or tus uploads of new ones; each client is a thread with a connection.
struct FileRequests: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "files", abstract: "GETs, PUTs or tus uploads of whole files over HTTP.")

    enum Kind: String, ExpressibleByArgument, CaseIterable { case get, put, tus }

    @Argument var kind: Kind

    @Option(help: "The server's address, IPv4.") var host = "127.0.0.1"
    @Option var port: UInt16
    @Option(help: "What the request's path begins with; a number follows.") var path: String
    @Option(help: "The Authorization field.") var authorization: String
    @Option(help: "Bytes of each file.") var size: Int
    @Option(help: "Clients, each with one connection.") var clients = 1
    @Option(help: "GET: so many files, asked for in turn.") var files = 1
    @Option(help: "tus: bytes of a PATCH.") var chunk = 8 << 20
    @Option(help: "PUT: sync the new file, FOLDER/<name>, and FOLDER, before it counts as done.")
    var syncedFolder: String?
    @Option(help: "Seconds; what is in hand then is finished.") var seconds = 3.0

    func validate() throws {
        guard (1...1_000).contains(self.clients), (1...1_000_000).contains(self.files) else {
            throw ValidationError("--clients from 1 to 1000, --files from 1 to 1000000")
        }
        guard (1...(4 << 30)).contains(self.size), self.chunk > 0 else {
            throw ValidationError("--size from 1 to \(4 << 30), --chunk at least 1")
        }
    }

    func run() throws {
        // Random, so that nobody wins by compressing it; the same for all.
        let body = UnsafeMutableRawBufferPointer.allocate(
            byteCount: self.kind == .get ? 0 : self.size, alignment: 4_096)
        defer { body.deallocate() }
        var random = SplitMix(seed: 7)
        for word in body.bindMemory(to: UInt64.self).indices {
            body.storeBytes(of: random.next(), toByteOffset: word * 8, as: UInt64.self)
        }
        let shared = SharedBody(bytes: UnsafeRawBufferPointer(body))
        let before = ProcessUsage.now
        let started = ContinuousClock.now
        let end = started.advanced(by: .seconds(self.seconds))
        let threads = (0..<self.clients).map { number in
            FileClient(self, number: number, body: shared, until: end)
        }
        for thread in threads { thread.start() }
        var course = Course()
        for thread in threads { course.add(try thread.join()) }
        let elapsed = started.duration(to: .now) / .seconds(1)
        let measurement = Measurement(
            course: course, seconds: elapsed,
            cpuSeconds: ProcessUsage.now.cpuSeconds - before.cpuSeconds)
        var report = LoadReport(
            "files-\(self.kind.rawValue)", unit: "files", tasks: self.clients, measurement)
        report.remarks["mib_per_second"] = report.rate * Double(self.size) / 1_048_576
        try report.printLine()
    }
}

/// Bytes that nobody changes while the clients read them.
struct SharedBody: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer
}
