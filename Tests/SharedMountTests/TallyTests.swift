import ClusterModel
import ClusterPorts
import Foundation
import SharedMount
import Testing

/// What is counted below a folder.
@Suite(.serialized) struct TallyTests {
    private let acme = TemporaryMount.acme

    private func write(_ mount: TemporaryMount, _ path: String, _ size: Int) throws {
        let file = URL(filePath: "\(mount.home)/\(path)")
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(repeating: 7, count: size).write(to: file)
    }

    @Test func `regular files are counted, at any depth, and links are not followed`() async throws {
        try await TemporaryMount.with { mount async throws in
            let vault = mount.vault
            #expect(try await vault.tally(below: .home, in: self.acme, limit: .max) == HomeUse.none)
            try self.write(mount, "a", 10)
            try self.write(mount, "d/b", 20)
            // Deeper than folders are kept open.
            let deep = (0..<70).map { "d\($0)" }.joined(separator: "/")
            try self.write(mount, "\(deep)/c", 30)
            try self.write(mount, "\(deep)/e/f", 1)
            try FileManager.default.createSymbolicLink(
                atPath: "\(mount.home)/out", withDestinationPath: mount.folder)
            try FileManager.default.createSymbolicLink(
                atPath: "\(mount.home)/twice", withDestinationPath: "a")
            let all = HomeUse(bytes: 61, files: 4)
            #expect(try await vault.tally(below: .home, in: self.acme, limit: .max) == all)
            #expect(try await ListedOnly(vault: vault).tally(below: .home, in: self.acme, limit: .max) == all)
            let some = HomeUse(bytes: 20, files: 1)
            #expect(try await vault.tally(below: try HomePath("d"), in: self.acme, limit: .max) == some)
            #expect(
                try await vault.tally(below: try HomePath("none"), in: self.acme, limit: .max) == HomeUse.none
            )
        }
    }

    @Test func `more entries than the limit are not counted`() async throws {
        try await TemporaryMount.with { mount async throws in
            for number in 0..<5 { try self.write(mount, "d/\(number)", 1) }
            for vault in [mount.vault, ListedOnly(vault: mount.vault)] as [any HomeTally] {
                #expect(try await vault.tally(below: .home, in: self.acme, limit: 5) == nil)
                #expect(
                    try await vault.tally(below: .home, in: self.acme, limit: 6)
                        == HomeUse(bytes: 5, files: 5))
            }
        }
    }
}

/// Counts by listing.
private struct ListedOnly: HomeFolders, HomeTally {
    let vault: PosixVault

    func makeHome(of account: AccountName, adopting: Bool) async throws(VaultError) {
        try await self.vault.makeHome(of: account, adopting: adopting)
    }
    func hasHome(of account: AccountName) async throws(VaultError) -> Bool {
        try await self.vault.hasHome(of: account)
    }
    func status(of path: HomePath, in account: AccountName) async throws(VaultError) -> FileStatus? {
        try await self.vault.status(of: path, in: account)
    }
    func open(_ path: HomePath, in account: AccountName) async throws(VaultError) -> any OpenedFile {
        try await self.vault.open(path, in: account)
    }
    func list(
        _ path: HomePath, in account: AccountName, after name: [UInt8]?, limit: Int, walk: ListingWalk?
    ) async throws(VaultError) -> [FolderEntry] {
        try await self.vault.list(path, in: account, after: name, limit: limit, walk: walk)
    }
}
