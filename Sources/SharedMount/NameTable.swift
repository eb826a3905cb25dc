import Glibc

/// The smallest of many names in the order of their bytes, packed: an array of its own for each name would take
/// several times the time and the memory.
struct NameTable: Sendable {
    private struct Item {
        /// The first eight bytes as a number, so that most comparisons need no more.
        var head: UInt64
        var offset: UInt32
        var length: UInt16
    }

    /// Names up to this one are not wanted.
    let start: [UInt8]?
    private let limit: Int
    private var bytes: [UInt8] = []
    private var items: [Item] = []
    /// Names from this one on are not wanted any more.
    private var bound: [UInt8]?
    private var boundHead: UInt64 = .max
    private let startHead: UInt64

    /// Bytes of names that are kept, at most, but for ``limit`` names of any length below a page's.
    static let bytesMax = 4 << 20

    init(after start: [UInt8]?, limit: Int) {
        self.start = start
        self.startHead = start.map { start in unsafe start.withUnsafeBytes { unsafe Self.head($0) } } ?? 0
        self.limit = limit
    }

    var count: Int { self.items.count }
    /// Whether there were more names than these, behind the last one.
    var isCut: Bool { self.bound != nil }

    func name(_ index: Int) -> [UInt8] {
        let item = self.items[index]
        return Array(self.bytes[Int(item.offset)..<Int(item.offset) + Int(item.length)])
    }

    /// Where the names after this one begin.
    func index(after name: [UInt8]) -> Int {
        var range = 0..<self.items.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if name.lexicographicallyPrecedes(self.name(middle)) {
                range = range.lowerBound..<middle
            } else {
                range = (middle + 1)..<range.upperBound
            }
        }
        return range.lowerBound
    }

    mutating func offer(_ name: UnsafeRawBufferPointer) {
        let head = unsafe Self.head(name)
        if let start = self.start {
            guard unsafe Self.precedes(start, self.startHead, name, head) else { return }
        }
        if let bound = self.bound, unsafe !Self.precedes(name, head, bound, self.boundHead) { return }
        let offset = UInt32(self.bytes.count)
        self.items.append(Item(head: head, offset: offset, length: UInt16(clamping: name.count)))
        unsafe self.bytes.append(contentsOf: name)
        if self.items.count >= 2 * self.limit || self.bytes.count >= 2 * Self.bytesMax { self.cut() }
    }

    /// Call it after the last offer.
    mutating func finish() {
        if self.items.count > self.limit || self.bytes.count > Self.bytesMax {
            self.cut()
        } else {
            self.sort()
        }
    }

    private mutating func sort() {
        unsafe self.bytes.withUnsafeBytes { bytes in
            self.items.sort { left, right in
                if left.head != right.head { return left.head < right.head }
                return unsafe Self.compare(Self.name(left, bytes), Self.name(right, bytes)) < 0
            }
        }
    }

    private mutating func cut() {
        self.sort()
        var packed: [UInt8] = []
        var kept: [Item] = []
        for var item in self.items {
            let name = self.bytes[Int(item.offset)..<Int(item.offset) + Int(item.length)]
            guard kept.count < self.limit, packed.count + name.count <= Self.bytesMax else { break }
            item.offset = UInt32(packed.count)
            packed.append(contentsOf: name)
            kept.append(item)
        }
        if kept.count < self.items.count {
            // Nothing between the last one kept and this one was seen so far; what follows is cut off from there.
            let item = self.items[kept.count]
            self.bound = Array(self.bytes[Int(item.offset)..<Int(item.offset) + Int(item.length)])
            self.boundHead = item.head
        }
        self.bytes = packed
        self.items = kept
    }
}

// Comparing.
extension NameTable {
    private static func name(_ item: Item, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let start = Int(item.offset)
        return unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<start + Int(item.length)])
    }

    /// Names have no NUL, so a shorter one is smaller than what it begins.
    private static func head(_ name: UnsafeRawBufferPointer) -> UInt64 {
        var head: UInt64 = 0
        for index in 0..<8 { head = unsafe head << 8 | (index < name.count ? UInt64(name[index]) : 0) }
        return head
    }

    private static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        let common = min(left.count, right.count)
        if let leftBase = left.baseAddress, let rightBase = right.baseAddress, common > 0 {
            let order = unsafe memcmp(leftBase, rightBase, common)
            if order != 0 { return Int(order) }
        }
        return left.count - right.count
    }

    private static func precedes(
        _ left: [UInt8], _ leftHead: UInt64, _ right: UnsafeRawBufferPointer, _ rightHead: UInt64
    ) -> Bool {
        if leftHead != rightHead { return leftHead < rightHead }
        return unsafe left.withUnsafeBytes { unsafe Self.compare($0, right) } < 0
    }

    private static func precedes(
        _ left: UnsafeRawBufferPointer, _ leftHead: UInt64, _ right: [UInt8], _ rightHead: UInt64
    ) -> Bool {
        if leftHead != rightHead { return leftHead < rightHead }
        return unsafe right.withUnsafeBytes { unsafe Self.compare(left, $0) } < 0
    }
}
