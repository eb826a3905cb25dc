import ClusterModel
import ClusterPorts
import Foundation
import NIOCore
import SharedMount
import Testing

/// Speeds, printed and not judged; FLOTILLA_MEASURE=1 runs them.
@Suite(.serialized, .enabled(if: Machine.measures, "set FLOTILLA_MEASURE=1 to measure"))
struct Measurements {
    private static func seconds(_ work: () async throws -> Void) async rethrows -> Double {
        let duration = try await ContinuousClock().measure { try await work() }
        return Double(duration.wholeNanoseconds) / 1e9
    }

    @Test func `small files, 16 tasks`() async throws {
        let (tasks, each) = (16, 300)
        try await TemporaryMount.with { mount async throws in
            for round in 0..<5 {
                let seconds = try await Self.seconds {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for task in 0..<tasks {
                            group.addTask {
                                for index in 0..<each {
                                    let file = try await mount.vault.stage(UUID(), for: TemporaryMount.first)
                                    _ = try await file.append(ByteBuffer(repeating: 1, count: 1_024))
                                    let sealed = try await file.seal()
                                    _ = try await mount.vault.publish(
                                        sealed.staged, as: HomePath("r\(round)-\(task)-\(index)"),
                                        in: TemporaryMount.acme,
                                        replacing: true)
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
                print(
                    "1 KiB durably, \(tasks) tasks: \(Int(Double(tasks * each) / seconds)) files/s"
                )
            }
        }
    }

    @Test(arguments: [16_384, 1_048_576]) func `256 MiB, one file`(_ chunk: Int) async throws {
        try await TemporaryMount.with { mount async throws in
            let buffer = ByteBuffer(repeating: 3, count: chunk)
            for _ in 0..<5 {
                var written = 0.0
                let file = try await mount.vault.stage(UUID(), for: TemporaryMount.first)
                let seconds = try await Self.seconds {
                    written = try await Self.seconds {
                        for _ in 0..<(256 * 1_048_576 / chunk) { _ = try await file.append(buffer) }
                    }
                    _ = try await file.seal()
                }
                try await mount.vault.discard(file.name)
                print(
                    "256 MiB by \(chunk): \(Int(256 / seconds)) MiB/s, \(Int(256 / written)) before the seal"
                )
            }
        }
    }

    @Test func `reading 256 MiB`() async throws {
        try await TemporaryMount.with { mount async throws in
            let file = try await mount.vault.stage(UUID(), for: TemporaryMount.first)
            for _ in 0..<256 { _ = try await file.append(ByteBuffer(repeating: 3, count: 1_048_576)) }
            _ = try await mount.vault.publish(
                file.seal().staged, as: HomePath("a"), in: TemporaryMount.acme, replacing: true)
            for count in [65_536, 262_144, 1_048_576] {
                let opened = try await mount.vault.open(HomePath("a"), in: TemporaryMount.acme)
                let seconds = try await Self.seconds {
                    var offset: Int64 = 0
                    while offset < opened.status.size {
                        offset += try await Int64(opened.read(from: offset, count: count).readableBytes)
                    }
                }
                await opened.close()
                print("256 MiB read by \(count): \(Int(256 / seconds)) MiB/s")
            }
        }
    }
}
