import Foundation

/// Where things lie in the data folder.
package struct DataLayout: Sendable, Equatable {
    var root: String
    var major: Int
    var socket: String

    var lock: String { self.root + "/lock" }
    var home: String { self.root + "/postgres" }
    var data: String { "\(self.home)/\(self.major)" }
    var log: String { self.home + "/log" }

    /// The versions that have data in this folder.
    static func majors(in home: String) -> [Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: home)) ?? []
        return names.compactMap { Int($0) }
            .filter { FileManager.default.fileExists(atPath: "\(home)/\($0)/PG_VERSION") }
    }

    /// Whether a name in `home` is what an interrupted initialisation left behind.
    package static func isLeftover(_ name: String) -> Bool {
        let parts = name.split(separator: ".", maxSplits: 1)
        return parts.count == 2 && Int(parts[0]) != nil && parts[1].hasPrefix("initialising-")
    }
}

/// The path from the root folder on, without `.` and `..`.
func absolutePath(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }
