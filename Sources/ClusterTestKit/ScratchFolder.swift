import Foundation

/// A folder of its own for one test, removed when the last reference goes away.
package final class ScratchFolder: Sendable {
    package let path: String

    package init(_ label: String = "test") throws {
        let base = FileManager.default.temporaryDirectory.path
        self.path = "\(base)/flotilla-\(label)-\(UUID().uuidString.lowercased())"
        try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }
}
