import ClusterModel
import ClusterPorts
import Foundation
import Glibc
import SharedMount
import Testing

/// Listings of large folders, page by page.
@Suite(.serialized)
struct ListingTests {
    private let acme = TemporaryMount.acme

    private func make(_ mount: TemporaryMount, _ names: some Sequence<String>) {
        for name in names {
            let file = open("\(mount.home)/\(name)", O_CREAT | O_WRONLY, 0o640)
            #expect(file >= 0)
            close(file)
        }
    }

    private func text(_ entries: [FolderEntry]) -> [String] {
        entries.map { String(decoding: $0.name, as: UTF8.self) }
    }

    @Test func `a walk lists all that was there all the time once, while others come and go`() async throws {
        try await TemporaryMount.with { mount async throws in
            // More than one scan keeps.
            let names = (0..<70_000).map { "\($0 &* 7_919 % 70_001)-n" }
            self.make(mount, names)
            let other = PosixVault(root: mount.folder)
            let walk = ListingWalk.next()
            var seen: [String] = []
            var cursor: [UInt8]?
            var pages = 0
            repeat {
                pages += 1
                // Now and then another node answers.
                let vault = pages % 5 == 0 ? other : mount.vault
                let page = try await vault.list(
                    .home, in: self.acme, after: cursor, limit: 1_000, walk: walk)
                seen += self.text(page)
                self.make(mount, ["\(pages)-new", "zz\(pages)-new"])
                unlink("\(mount.home)/\(pages - 1)-new")
                cursor = page.count < 1_000 ? nil : page.last?.name
            } while cursor != nil
            let old = seen.filter { $0.hasSuffix("-n") }
            #expect(old.count == 70_000 && Set(old) == Set(names))
            #expect(seen == seen.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) })
            #expect(Set(seen).count == seen.count)
            await other.shutDown()
        }
    }

    @Test func `whoever asks again, or begins again, sees what has come`() async throws {
        try await TemporaryMount.with { mount async throws in
            self.make(mount, (10..<40).map { "\($0)" })
            let walk = ListingWalk.next()
            func page(_ cursor: String?, _ walk: ListingWalk) async throws -> [String] {
                self.text(
                    try await mount.vault.list(
                        .home, in: self.acme, after: cursor.map { Array($0.utf8) }, limit: 10, walk: walk))
            }
            #expect(try await page(nil, walk).last == "19")
            self.make(mount, ["195"])
            // Of the same walk, so it may be left out; but not when the page is asked for once more.
            #expect(try await page("19", walk).count == 10)
            #expect(try await page("19", walk).first == "195")
            #expect(try await page("19", ListingWalk.next()).first == "195")
            #expect(try await page("30", walk).last == "39")
            self.make(mount, ["4"])
            #expect(try await page("39", walk) == ["4"])
        }
    }

    @Test func `a folder that is replaced by another is not listed from memory`() async throws {
        try await TemporaryMount.with { mount async throws in
            let folder = "\(mount.home)/in"
            mkdir(folder, 0o770)
            self.make(mount, (10..<40).map { "in/\($0)" })
            let walk = ListingWalk.next()
            let path = try HomePath("in")
            _ = try await mount.vault.list(path, in: self.acme, after: nil, limit: 10, walk: walk)
            rename(folder, "\(mount.home)/old")
            mkdir(folder, 0o770)
            self.make(mount, ["in/99"])
            let page = try await mount.vault.list(
                path, in: self.acme, after: Array("19".utf8), limit: 10, walk: walk)
            #expect(self.text(page) == ["99"])
        }
    }
}

/// The cost of a page of a folder with a million entries; FLOTILLA_MEASURE=1 runs it.
@Suite(.serialized, .enabled(if: Machine.measures, "set FLOTILLA_MEASURE=1 to measure"))
struct ListingMeasurements {
    @Test func `a million entries, a thousand a page`() async throws {
        try await TemporaryMount.with { mount async throws in
            for number in 0..<1_000_000 {
                let name = "invoice-2026-\(number &* 7_919 % 1_000_003).pdf"
                let file = open("\(mount.home)/\(name)", O_CREAT | O_WRONLY, 0o640)
                close(file)
            }
            for (title, walk, pages) in [("alone", nil, 5), ("walk", ListingWalk.next(), 1_001)]
                as [(String, ListingWalk?, Int)]
            {
                var cursor: [UInt8]?
                var times: [Duration] = []
                var count = 0
                for _ in 0..<pages {
                    let start = ContinuousClock.now
                    let page = try await mount.vault.list(
                        .home, in: TemporaryMount.acme, after: cursor, limit: 1_000, walk: walk)
                    times.append(ContinuousClock.now - start)
                    count += page.count
                    guard page.count == 1_000 else { break }
                    cursor = page.last?.name
                }
                let sorted = times.sorted()
                print(
                    "\(title): \(times.count) pages, \(count) entries, first \(times[0]), median",
                    sorted[sorted.count / 2], "longest \(sorted[sorted.count - 1])",
                    "all \(times.reduce(.zero, +))")
            }
        }
    }
}
