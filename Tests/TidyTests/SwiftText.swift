/// Blanks out what is not code in Swift text, so that rules look at code only.
///
/// Knows line and nested block comments, strings with and without `#`, several lines of them, and interpolations, whose code
/// is blanked with the string. Regex literals are taken for code.
struct SwiftText {
    private let input: [UInt8]
    private var output: [UInt8] = []
    private var index = 0

    static func blanked(_ text: String) -> String {
        var scanner = SwiftText(input: Array(text.utf8))
        scanner.scan()
        return String(decoding: scanner.output, as: UTF8.self)
    }

    private init(input: [UInt8]) {
        self.input = input
        self.output.reserveCapacity(input.count)
    }

    private func at(_ offset: Int = 0) -> UInt8? {
        let position = self.index + offset
        return position < self.input.count ? self.input[position] : nil
    }

    private func starts(with text: String) -> Bool {
        text.utf8.enumerated().allSatisfy { self.at($0.offset) == $0.element }
    }

    private mutating func keep() {
        self.output.append(self.input[self.index])
        self.index += 1
    }

    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where self.index < self.input.count {
            let byte = self.input[self.index]
            self.output.append(byte == UInt8(ascii: "\n") ? byte : UInt8(ascii: " "))
            self.index += 1
        }
    }

    private mutating func scan() {
        while self.at() != nil {
            if self.starts(with: "//") {
                while let byte = self.at(), byte != UInt8(ascii: "\n") { self.blank() }
            } else if self.starts(with: "/*") {
                self.blockComment()
            } else if let hashes = self.stringStart() {
                self.string(hashes: hashes)
            } else {
                self.keep()
            }
        }
    }

    private mutating func blockComment() {
        var depth = 0
        repeat {
            if self.starts(with: "/*") {
                depth += 1
                self.blank(2)
            } else if self.starts(with: "*/") {
                depth -= 1
                self.blank(2)
            } else {
                self.blank()
            }
        } while depth > 0 && self.at() != nil
    }

    /// How many `#` stand before a quote that begins here; nil when no string begins here.
    private func stringStart() -> Int? {
        var hashes = 0
        while self.at(hashes) == UInt8(ascii: "#") { hashes += 1 }
        return self.at(hashes) == UInt8(ascii: "\"") ? hashes : nil
    }

    private mutating func string(hashes: Int) {
        let pounds = String(repeating: "#", count: hashes)
        self.blank(hashes)
        let quote = self.starts(with: "\"\"\"") ? "\"\"\"" : "\""
        // The quotes stay, so that the code around them keeps its shape.
        for _ in quote.utf8 { self.keep() }
        while self.at() != nil {
            if self.starts(with: quote + pounds) {
                for _ in quote.utf8 { self.keep() }
                self.blank(hashes)
                return
            } else if self.starts(with: "\\" + pounds + "(") {
                self.blank(2 + hashes)
                self.interpolation()
            } else if self.starts(with: "\\" + pounds) {
                self.blank(2 + hashes)
            } else if quote.utf8.count == 1 && self.at() == UInt8(ascii: "\n") {
                return  // Not a string after all; the compiler will have said so.
            } else {
                self.blank()
            }
        }
    }

    private mutating func interpolation() {
        var depth = 1
        while let byte = self.at(), depth > 0 {
            if let hashes = self.stringStart() {
                let before = self.output.count
                self.string(hashes: hashes)
                for position in before..<self.output.count where self.output[position] == UInt8(ascii: "\"") {
                    self.output[position] = UInt8(ascii: " ")
                }
                continue
            }
            if byte == UInt8(ascii: "(") { depth += 1 }
            if byte == UInt8(ascii: ")") { depth -= 1 }
            self.blank()
        }
    }
}
