import CMalloc
import Foundation
import Glibc

/// What this process holds at one instant.
struct Footprint: CustomStringConvertible {
    /// How many of each kind, such as `socket` and `anon_inode`.
    let kinds: [String: Int]
    /// Handed out by malloc and not given back.
    let heapBytes: Int
    let residentBytes: Int

    static var now: Footprint {
        let heap = mallinfo2()
        return Footprint(
            kinds: Self.openKinds, heapBytes: Int(heap.uordblks + heap.hblkhd),
            residentBytes: Self.residentBytes)
    }

    /// The footprint once no descriptor has been closed for a while: threads and sockets end a little later.
    static func settled() async throws -> Footprint {
        var last = Self.now
        var quiet = 0
        try await eventually("the number of descriptors stays the same") {
            let next = Self.now
            quiet = next.descriptors == last.descriptors ? quiet + 1 : 0
            last = next
            return quiet >= 200
        }
        return last
    }

    var descriptors: Int { self.kinds.values.reduce(0, +) }

    var description: String {
        let kinds = self.kinds.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(
            separator: ", ")
        return
            "\(self.descriptors) descriptors (\(kinds)), \(self.heapBytes >> 10) KiB of heap, "
            + "\(self.residentBytes >> 10) KiB resident"
    }

    /// Without the one that looks, which is gone when its name is asked for.
    private static var openKinds: [String: Int] {
        let folder = "/proc/self/fd"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.reduce(into: [:]) { kinds, name in
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
            else {
                return
            }
            // `socket:[123]` and `anon_inode:[eventpoll]`; all else is a file.
            let parts = target.split(separator: ":", maxSplits: 1)
            let kind =
                parts.count < 2 ? "file" : parts[0] == "anon_inode" ? String(parts[1]) : String(parts[0])
            kinds[kind, default: 0] += 1
        }
    }

    private static var residentBytes: Int {
        let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        guard let fields, fields.count > 1, let pages = Int(fields[1]) else { return 0 }
        return pages * sysconf(CInt(_SC_PAGESIZE))
    }
}

/// Leaks on purpose: the check that does not notice these proves nothing.
enum Deliberate {
    private final class Forgotten {
        let bytes = [UInt8](repeating: 1, count: 64 << 10)
    }

    static func leakMemory() {
        _ = Unmanaged.passRetained(Forgotten())
    }

    static func leakDescriptor() { _ = dup(0) }
}
