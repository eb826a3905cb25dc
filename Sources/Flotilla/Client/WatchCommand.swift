import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// The command `flotilla watch`.
struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Prints what happens in the cluster, as it happens; Ctrl-C ends it.")

    @OptionGroup var options: AdminOptions
    @Option(help: "Only these topics, separated by commas: membership, lease.") var topics: String?
    @Option(help: "Go on after this event's id.") var after: String?

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                var query: [(String, String)] = []
                if let topics = self.topics { query.append(("topics", topics)) }
                if let after = self.after { query.append(("after", after)) }
                try await client.lines("/watch", query: query) { line in
                    guard self.options.json || !line.hasPrefix(":") else { return }
                    // Unbuffered, also into a pipe.
                    FileHandle.standardOutput.write(Data((line + "\n").utf8))
                }
            }
        }
    }
}

extension AdminClient {
    /// Hands over each line of an answer that may never end.
    func lines(_ path: String, query: [(String, String)], _ show: (String) -> Void) async throws {
        let request = self.request("GET", path, query: query)
        let response: HTTPClientResponse
        do {
            response = try await self.http.execute(request, timeout: .hours(24))
        } catch {
            throw self.unreachable(error)
        }
        guard response.status == .ok else {
            let bytes = try await response.body.collect(upTo: 1 << 20)
            throw ClientFailure(
                Self.refusal(status: response.status.code, body: Data(bytes.readableBytesView)))
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
            throw failure
        } catch {
            throw ClientFailure("the stream broke: \(error)")
        }
    }
}
