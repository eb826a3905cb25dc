import Foundation
import Synchronization

/// Where the state of a local cluster is shown.
protocol StatusDisplay: Sendable {
    func say(_ line: String)
    func show(_ status: LocalClusterStatus, after old: LocalClusterStatus?)
}

/// Chooses by what standard output is.
func standardDisplay(isQuiet: Bool) -> any StatusDisplay {
    if isQuiet { return NoDisplay() }
    return isatty(STDOUT_FILENO) == 1 ? TerminalDisplay() : LineDisplay()
}

/// A table that is written over itself.
final class TerminalDisplay: StatusDisplay {
    private let linesShown = Mutex(0)

    func say(_ line: String) {
        self.linesShown.withLock { $0 = 0 }
        printNow(line + "\n")
    }

    func show(_ status: LocalClusterStatus, after old: LocalClusterStatus?) {
        let (width, height) = Self.size()
        let lines = StatusTable.lines(status, at: Date(), width: width, height: height - 1)
        self.linesShown.withLock { shown in
            let up = shown > 0 ? "\u{1B}[\(shown)A\r" : ""
            printNow(up + "\u{1B}[J" + lines.map { $0 + "\n" }.joined())
            shown = lines.count
        }
    }

    private static func size() -> (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 3 else {
            return (120, 40)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }
}

/// A line for each change.
struct LineDisplay: StatusDisplay {
    func say(_ line: String) { printNow(line + "\n") }

    func show(_ status: LocalClusterStatus, after old: LocalClusterStatus?) {
        let addresses =
            "files \(status.filesAddress)\nadmin \(status.adminAddress)\n"
            + "admin token in \(LocalClusterFolder(root: status.folder).adminToken)\n"
        let changes = StatusTable.changes(from: old, to: status).map { $0 + "\n" }.joined()
        let text = (old == nil ? addresses : "") + changes
        if !text.isEmpty { printNow(text) }
    }
}

struct NoDisplay: StatusDisplay {
    func say(_ line: String) {}
    func show(_ status: LocalClusterStatus, after old: LocalClusterStatus?) {}
}

private func printNow(_ text: String) { try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) }
