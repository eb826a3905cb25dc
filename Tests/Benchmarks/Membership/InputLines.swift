import Foundation

/// The lines of standard input, for a load that is told what to do next.
enum InputLines {
    /// Ends with the input; a thread of its own reads, since that blocks.
    static func stream() -> AsyncStream<String> {
        let (lines, line) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingOldest(16))
        let thread = Thread {
            while let text = readLine() { line.yield(text) }
            line.finish()
        }
        thread.name = "input"
        thread.start()
        return lines
    }
}
