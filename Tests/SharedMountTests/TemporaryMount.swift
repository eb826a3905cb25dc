import ClusterModel
import ClusterPorts
import Foundation
import Glibc
import NIOCore
import SharedMount
import Testing

/// A vault on a fresh folder, established, with the home of “acme” and incarnation 1 noted.
struct TemporaryMount {
    let folder: String
    let vault: PosixVault
    let identity: MountIdentity

    static let acme = AccountName("acme").unsafelyKnown
    static let first = Incarnation(rawValue: 1).unsafelyKnown

    init(in parent: String? = nil, options: PosixVault.Options = .init()) async throws {
        self.folder = parent ?? Self.freshFolder()
        self.vault = PosixVault(root: self.folder, options: options)
        self.identity = try await self.vault.establish(Self.proposal())
        try await self.vault.makeHome(of: Self.acme, adopting: false)
        try #require(try await self.vault.note(Self.first))
    }

    static func freshFolder() -> String {
        let folder = NSTemporaryDirectory() + "flotilla-mount-\(UUID().uuidString)"
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    static func proposal() -> MountIdentity {
        let bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        return MountIdentity(cluster: ClusterID(UUID()), nonce: MountNonce(bytes).unsafelyKnown)
    }

    /// Runs a test on a mount that is gone afterwards.
    static func with(
        options: PosixVault.Options = .init(), _ body: (TemporaryMount) async throws -> Void
    ) async throws {
        let mount = try await TemporaryMount(options: options)
        do {
            try await body(mount)
        } catch {
            await mount.end()
            throw error
        }
        await mount.end()
    }

    func end() async {
        await self.vault.shutDown()
        try? FileManager.default.removeItem(atPath: self.folder)
    }

    var home: String { "\(self.folder)/homes/acme" }

    func sealed(_ text: String) async throws -> SealedFile {
        let file = try await self.vault.stage(UUID(), for: Self.first)
        _ = try await file.append(ByteBuffer(string: text))
        return try await file.seal()
    }

    /// Puts a file the whole way; answers its identity.
    @discardableResult
    func put(_ text: String, at path: String) async throws -> FileIdentity {
        let sealed = try await self.sealed(text)
        let outcome = try await self.vault.publish(
            sealed.staged, as: HomePath(path), in: Self.acme, replacing: true)
        #expect(outcome == .published)
        return sealed.staged.identity
    }

    func text(at path: String) -> String? {
        FileManager.default.contents(atPath: "\(self.home)/\(path)").map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    func names(below path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(self.folder)/\(path)")) ?? []).sorted()
    }
}

extension Optional {
    /// For constants of tests.
    var unsafelyKnown: Wrapped {
        guard let value = self else { preconditionFailure("a constant of a test is wrong") }
        return value
    }
}

extension HomePath {
    init(_ text: String) throws { try self.init(bytes: Array(text.utf8)) }
}

enum Machine {
    static var isRoot: Bool { geteuid() == 0 }
    static var measures: Bool { ProcessInfo.processInfo.environment["FLOTILLA_MEASURE"] != nil }

    static func openDescriptors() -> Int {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []).count
    }

    /// Waits until something holds, ten seconds at most.
    static func eventually(_ what: Comment, _ holds: () -> Bool) async {
        let end = ContinuousClock.now + .seconds(10)
        while !holds() {
            guard ContinuousClock.now < end else {
                Issue.record(what)
                return
            }
            await Task.yield()
        }
    }
}
