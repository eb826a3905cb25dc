import ClusterTestKit
import DoorTestKit
import Foundation
import Glibc
import Testing

/// A mount that is full or read-only; needs the right to mount.
@Suite(.enabled(if: SmallMount.isPossible, "only root with the right to mount can make a small file system"))
struct SmallMountTests {
    @Test func `a full mount answers 507 and loses nothing`() async throws {
        try await SmallMount.with { node, _ in
            let alice = try await node.makeAccount("alice")
            let before = [UInt8](repeating: 1, count: 1 << 20)
            #expect(try await node.files("PUT", "/files/x", alice, body: before).status == 201)
            let large = FileManager.default.temporaryDirectory.appending(path: "large-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: large) }
            try Data(repeating: 2, count: 12 << 20).write(to: large)
            // By curl, which reads the answer although it is not done with sending.
            for target in ["/files/x", "/files/y"] {
                let (code, output) = try await Curl.run([
                    "-u", "alice:\(alice.password)", "-T", large.path, "-w", "\n%{http_code}",
                    "http://127.0.0.1:\(node.filesPort)\(target)",
                ])
                #expect(
                    code == 0 && output.contains("problem:full") && output.hasSuffix("507"),
                    "curl \(code): \(output)")
            }
            #expect(try await node.files("GET", "/files/x", alice).body == before)
            #expect(try await node.files("GET", "/files/y", alice).status == 404)
            try await eventually("staging is empty") { node.staged().isEmpty }
            #expect(try await node.files("PUT", "/files/y", alice, body: before).status == 201)
        }
    }

    @Test func `a mount that became read-only answers 507 to changes and still serves`() async throws {
        try await SmallMount.with { node, mount in
            let alice = try await node.makeAccount("alice")
            #expect(try await node.files("PUT", "/files/x", alice, body: [1]).status == 201)
            try mount.remount("ro")
            for (method, target) in [("PUT", "/files/x"), ("PUT", "/files/y"), ("MKCOL", "/files/folder")] {
                let answer = try await node.files(
                    method, target, alice, body: method == "PUT" ? [2] : nil)
                #expect(
                    answer.status == 507 && answer.problem == "read-only", "\(method): \(answer.text)")
            }
            #expect(try await node.files("GET", "/files/x", alice).body == [1])
            try mount.remount("rw")
            try await eventually("changes go on") {
                try await node.files("PUT", "/files/x", alice, body: [3]).status == 200
            }
            #expect(try await node.files("GET", "/files/x", alice).body == [3])
        }
    }
}

/// A file system of 8 MiB in memory.
private struct SmallMount: Sendable {
    let folder: String

    static func with(_ work: @Sendable (DoorNode, SmallMount) async throws -> Void) async throws {
        let body = { @Sendable (node: DoorNode) async throws in
            let mount = SmallMount(folder: node.mount.path)
            defer { _ = umount2(mount.folder, CInt(MNT_DETACH)) }
            try await work(node, mount)
        }
        try await DoorNode.with(on: { try Self.mount($0) }, body)
    }

    /// Tried out, since a container's root often has not the right.
    static let isPossible: Bool = {
        let folder = FileManager.default.temporaryDirectory.appending(path: "probe-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        guard geteuid() == 0,
            (try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true))
                != nil,
            (try? Self.mount(folder)) != nil
        else { return false }
        return umount2(folder, CInt(MNT_DETACH)) == 0
    }()

    private static func mount(_ folder: String) throws {
        try Self.run(["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder])
    }

    func remount(_ mode: String) throws { try Self.run(["-o", "remount,\(mode)", self.folder]) }

    private static func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/mount")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw TestFailure("mount \(arguments) failed") }
    }
}
