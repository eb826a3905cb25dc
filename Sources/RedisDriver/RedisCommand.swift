/// One command in the form in which it is sent: an array of strings of any bytes.
package struct RedisCommand: Sendable, Equatable {
    /// The command's own word, for messages.
    package let name: String
    private(set) var count = 0
    /// The words, each with its length before it.
    private var words: [UInt8] = []

    /// A command of words that are text.
    package init(_ name: String, _ words: String...) {
        self.name = name
        self.append(name)
        for word in words { self.append(word) }
    }

    package mutating func append(_ word: String) {
        var word = word
        word.withUTF8 { unsafe self.append(word: UnsafeRawBufferPointer($0)) }
    }

    package mutating func append(_ word: [UInt8]) {
        unsafe word.withUnsafeBytes { unsafe self.append(word: $0) }
    }

    package mutating func append(_ number: Int64) {
        self.append(String(number))
    }

    private mutating func append(word: UnsafeRawBufferPointer) {
        self.count += 1
        Self.writeHeader(UInt8(ascii: "$"), word.count, into: &self.words)
        unsafe self.words.append(contentsOf: word)
        self.words.append(UInt8(ascii: "\r"))
        self.words.append(UInt8(ascii: "\n"))
    }

    /// About how many bytes it has on the wire, its header aside.
    var byteCount: Int { self.words.count }

    package func write(into bytes: inout [UInt8]) {
        Self.writeHeader(UInt8(ascii: "*"), self.count, into: &bytes)
        bytes.append(contentsOf: self.words)
    }

    private static func writeHeader(_ mark: UInt8, _ number: Int, into bytes: inout [UInt8]) {
        bytes.append(mark)
        if number < 10 {
            bytes.append(UInt8(ascii: "0") + UInt8(number))
        } else {
            bytes.append(contentsOf: String(number).utf8)
        }
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
    }
}
