import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// The command `flotilla watch`.
struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Prints what happens in the cluster, as it happens; Ctrl-C ends it.",
        discussion:
            "When the connection breaks it goes on from the last event, and says so on standard error.")

    @OptionGroup var options: AdminOptions
    @Option(help: "Only these topics, separated by commas: membership, lease, job, shard.") var topics:
        String?
    @Option(help: "Go on after this event's id.") var after: String?

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                try await self.watch(client)
            }
        }
    }

    private func watch(_ client: AdminClient) async throws {
        var course = WatchCourse(after: self.after)
        while true {
            let broken = await self.stream(client, &course)
            switch course.ended(broken.end) {
            case .giveUp: throw broken.why
            case .again(let pause):
                Self.warn("\(broken.why); goes on in \(pause / .seconds(1)) s")
                try await Task.sleep(for: pause)
            }
        }
    }

    /// One stream, until it ends, and why it did.
    private func stream(
        _ client: AdminClient, _ course: inout WatchCourse
    ) async -> (end: WatchCourse.End, why: ClientFailure) {
        var query: [(String, String)] = []
        if let topics = self.topics { query.append(("topics", topics)) }
        if let last = course.last { query.append(("after", last)) }
        do {
            try await client.lines("/watch", query: query) { line in
                course.received(line)
                guard self.options.json || !line.hasPrefix(":") else { return }
                // Unbuffered, also into a pipe.
                FileHandle.standardOutput.write(Data((line + "\n").utf8))
            }
            return (.broken, ClientFailure("the node ended the stream"))
        } catch let failure as LinesFailure {
            return (failure.end, failure.why)
        } catch {
            return (.broken, ClientFailure("the stream broke: \(error)"))
        }
    }

    private static func warn(_ text: String) {
        FileHandle.standardError.write(Data(("warning: " + text + "\n").utf8))
    }
}

/// Why an answer in lines ended.
struct LinesFailure: Error {
    let end: WatchCourse.End
    let why: ClientFailure
}

extension AdminClient {
    /// Hands over each line of an answer that may never end; throws ``LinesFailure``.
    func lines(_ path: String, query: [(String, String)], _ show: (String) -> Void) async throws {
        let request = self.request("GET", path, query: query)
        let response: HTTPClientResponse
        do {
            response = try await self.http.execute(request, timeout: .hours(24))
        } catch {
            throw LinesFailure(end: .unreachable, why: self.unreachable(error))
        }
        guard response.status == .ok else {
            let bytes = (try? await response.body.collect(upTo: 1 << 20)) ?? ByteBuffer()
            let status = response.status.code
            throw LinesFailure(
                end: .refused(status: Int(status)),
                why: ClientFailure(Self.refusal(status: status, body: Data(bytes.readableBytesView))))
        }
        var rest: [UInt8] = []
        do {
            for try await piece in response.body {
                rest.append(contentsOf: piece.readableBytesView)
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    show(String(decoding: rest[..<end], as: UTF8.self))
                    rest.removeSubrange(...end)
                }
                guard rest.count <= 1 << 20 else {
                    throw ClientFailure("the node sent a line of more than 1 MiB")
                }
            }
        } catch let failure as ClientFailure {
            throw LinesFailure(end: .broken, why: failure)
        } catch {
            throw LinesFailure(end: .broken, why: ClientFailure("the stream broke: \(error)"))
        }
    }
}
