import Foundation

/// A child's log file, cut when it grows too long.
///
/// The child writes to the file itself, in append mode; so a cut keeps the older half in a second file and
/// empties the first. What is written in that instant may be lost.
package struct BoundedLog: Sendable, Equatable {
    package let path: String
    package let bytesMax: Int

    package init(path: String, bytesMax: Int) {
        self.path = path
        self.bytesMax = bytesMax
    }

    /// A descriptor for the child; the caller closes it.
    ///
    /// Negative on failure, as errno says.
    func open() -> Int32 {
        Foundation.open(self.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }

    /// Cuts the file if it is too long; failures leave it as it is until the next time.
    package func trim() {
        var status = stat()
        guard lstat(self.path, &status) == 0, status.st_size > self.bytesMax else { return }
        let older = self.path + ".1"
        unlink(older)
        guard (try? FileManager.default.copyItem(atPath: self.path, toPath: older)) != nil else { return }
        truncate(self.path, 0)
    }

    /// Begins an empty file and keeps the present one beside it; only for files that nobody writes to.
    package func setAside() { rename(self.path, self.path + ".1") }

    /// The last line that is not empty, at most 300 bytes of it.
    package func lastLine() -> String? { self.lastLines().last }

    /// Why a program of PostgreSQL gave up, in its own words; else the last line.
    package func lastComplaint() -> String? { Self.complaint(in: self.lastLines()) }

    /// What follows the last `FATAL:`, since programs tidy up and say so after they failed.
    package static func complaint(in lines: [String]) -> String? {
        for mark in ["FATAL:", "error:"] {
            guard let line = lines.last(where: { $0.contains(mark) }), let found = line.range(of: mark) else {
                continue
            }
            return line[found.upperBound...].trimmingCharacters(in: .whitespaces)
        }
        return lines.last
    }

    private func lastLines() -> [String] {
        guard let file = FileHandle(forReadingAtPath: self.path) else { return [] }
        defer { try? file.close() }
        guard let size = try? file.seekToEnd() else { return [] }
        try? file.seek(toOffset: size > 4096 ? size - 4096 : 0)
        guard let tail = try? file.read(upToCount: 4096) else { return [] }
        return String(decoding: tail, as: UTF8.self).split(whereSeparator: \.isNewline)
            .filter { !$0.allSatisfy(\.isWhitespace) }.map { String($0.prefix(300)) }
    }
}
