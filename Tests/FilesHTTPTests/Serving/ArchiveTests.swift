import ClusterTestKit
import DoorTestKit
import Foundation
import Glibc
import HTTPDoor
import NIOCore
import Testing

/// Folders as ZIP archives, read by programs that nobody here wrote.
@Suite struct ArchiveTests {
    private static func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, output: String)
    {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    private static let reader = """
        import sys, zipfile
        with zipfile.ZipFile(sys.argv[1]) as z:
            assert z.testzip() is None
            for i in z.infolist():
                print(i.filename, i.file_size, i.date_time[0])
        """

    @Test func `a folder comes as an archive that others read`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let large = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            _ = try await node.files("PUT", "/files/in/gr%C3%BC%C3%9Fe.txt?parents=true", alice, body: [65])
            _ = try await node.files("PUT", "/files/in/sub/large?parents=true", alice, body: large)
            _ = try await node.files("PUT", "/files/in/nothing", alice, body: [])
            _ = try await node.files("MKCOL", "/files/in/empty", alice)
            try FileManager.default.createSymbolicLink(
                atPath: node.onMount("alice", "in/link"), withDestinationPath: "/etc/passwd")
            let answer = try await node.files("GET", "/files/in/?archive=zip", alice)
            #expect(answer.status == 200 && answer.headers["content-type"] == "application/zip")
            #expect(answer.headers["content-disposition"]?.contains("filename=\"in.zip\"") == true)
            let file = node.mount.deletingLastPathComponent().appending(path: "\(UUID().uuidString).zip")
            defer { try? FileManager.default.removeItem(at: file) }
            try Data(answer.body).write(to: file)
            let (code, output) = try Self.run("/usr/bin/python3", ["-c", Self.reader, file.path])
            let year = Calendar(identifier: .gregorian).component(.year, from: Date())
            let names = output.split(separator: "\n").sorted()
            #expect(code == 0, "\(output)")
            #expect(
                names.map { $0.split(separator: " ").dropLast().joined(separator: " ") } == [
                    "in/ 0", "in/empty/ 0", "in/grüße.txt 1", "in/nothing 0", "in/sub/ 0",
                    "in/sub/large 900000",
                ], "\(output)")
            #expect(names.filter { $0.hasSuffix(" \(year)") }.count == 5, "\(output)")
            if FileManager.default.isExecutableFile(atPath: "/usr/bin/unzip") {
                let (code, output) = try Self.run("/usr/bin/unzip", ["-t", file.path])
                #expect(code == 0 && output.contains("No errors"), "\(output)")
            }
            let accepted = try await node.files("GET", "/files/in", alice, ["accept": "application/zip"])
            #expect(accepted.body.count == answer.body.count)
            let head = try await node.files("HEAD", "/files/in?archive=zip", alice)
            #expect(head.status == 200 && head.headers["content-type"] == "application/zip")
            #expect(head.body.isEmpty)
            let log = try await node.transfers(of: "alice", atLeast: 6)
            let downloads = log.filter { $0["kind"] as? String == "download" }
            #expect(downloads.map { $0["size"] as? Int } == [answer.body.count, answer.body.count])
            #expect(downloads.allSatisfy { $0["path"] as? String == "/in" })
        }
    }

    @Test func `a home comes without a folder around it, and a file not at all`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let empty = try await node.files("GET", "/files/?archive=zip", alice)
            #expect(empty.status == 200 && empty.body.count == 22)
            #expect(empty.headers["content-disposition"]?.contains("alice.zip") == true)
            _ = try await node.files("PUT", "/files/x", alice, body: [1])
            #expect(try await node.files("GET", "/files/x?archive=zip", alice).problem == "not-found")
            #expect(try await node.files("GET", "/files/no?archive=zip", alice).problem == "not-found")
            #expect(try await node.files("GET", "/files/x", alice, ["accept": "application/zip"]).body == [1])
        }
    }

    @Test func `seventy thousand files come whole`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.files("MKCOL", "/files/in", alice)
            let folder = node.onMount("alice", "in")
            for number in 0..<70_000 { close(open("\(folder)/\(number)", O_CREAT | O_WRONLY, 0o640)) }
            let answer = try await node.files("GET", "/files/in?archive=zip", alice)
            let file = node.mount.deletingLastPathComponent().appending(path: "\(UUID().uuidString).zip")
            defer { try? FileManager.default.removeItem(at: file) }
            try Data(answer.body).write(to: file)
            let (code, output) = try Self.run("/usr/bin/python3", ["-c", Self.reader, file.path])
            #expect(code == 0 && output.split(separator: "\n").count == 70_001, "\(output.prefix(300))")
        }
    }

    @Test func `a file that changes while it is sent breaks the archive off`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.files("MKCOL", "/files/in", alice)
            let path = node.onMount("alice", "in/x")
            _ = FileManager.default.createFile(atPath: path, contents: nil)
            let file = try FileHandle(forWritingTo: URL(filePath: path))
            try file.truncate(atOffset: 64 << 20)
            let answer = try await RawConnection.open(port: node.filesPort).exchange(
                [
                    "GET /files/in?archive=zip HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                        + "Authorization: \(alice.authorization)\r\n\r\n"
                ],
                until: { said in
                    // Its bytes have begun to come, and what is on its way does not reach to its end.
                    if 1 << 16..<1 << 20 ~= said.utf8.count { try? file.truncate(atOffset: 1 << 20) }
                    return false
                })
            try file.close()
            #expect(!answer.hasSuffix("0\r\n\r\n"))
            let log = try await node.transfers(of: "alice", atLeast: 2)
            let download = log.first { $0["kind"] as? String == "download" }
            #expect(download?["status"] as? String == "failed", "\(String(describing: download))")
        }
    }

    @Test func `a client that goes away is in the log`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let bytes = [UInt8](repeating: 7, count: 64 << 20)
            _ = try await node.files("PUT", "/files/in/big?parents=true", alice, body: bytes)
            _ = try await RawConnection.open(port: node.filesPort).exchange(
                [
                    "GET /files/in?archive=zip HTTP/1.1\r\nHost: x\r\n"
                        + "Authorization: \(alice.authorization)\r\n\r\n"
                ],
                until: { !$0.isEmpty })
            let log = try await node.transfers(of: "alice", atLeast: 2)
            #expect(log[1]["kind"] as? String == "download" && log[1]["status"] as? String == "failed")
        }
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["FLOTILLA_MEASURE"] != nil))
    func `five gigabytes come whole`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.files("MKCOL", "/files/in", alice)
            for name in ["in/x", "in/y"] {
                let path = node.onMount("alice", name)
                close(open(path, O_CREAT | O_WRONLY, 0o640))
                truncate(path, name == "in/x" ? 5 << 30 : 100 << 10)
            }
            let file = node.mount.deletingLastPathComponent().appending(path: "\(UUID().uuidString).zip")
            defer { try? FileManager.default.removeItem(at: file) }
            let start = ContinuousClock.now
            let (code, output) = try await Curl.run([
                "-u", "alice:\(alice.password)", "-o", file.path, "--max-time", "300",
                "http://127.0.0.1:\(node.filesPort)/files/in?archive=zip",
            ])
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            print(
                "an archive of 5 GiB: \(ContinuousClock.now - start),",
                status.split(separator: "\n").first { $0.hasPrefix("VmHWM") } ?? "")
            #expect(code == 0, "\(output)")
            for (program, arguments) in [
                ("/usr/bin/unzip", ["-t", file.path]), ("/usr/bin/python3", ["-c", Self.reader, file.path]),
            ] {
                let (code, output) = try Self.run(program, arguments)
                #expect(code == 0, "\(output)")
                print(output)
            }
        }
    }
}
