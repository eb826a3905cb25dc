import Foundation

/// One installed PostgreSQL: its major version and the folder of its programs.
package struct Installation: Sendable, Equatable {
    package var major: Int
    package var folder: String

    package init(major: Int, folder: String) {
        self.major = major
        self.folder = folder
    }

    /// What its programs see of the environment: nothing that could change their behaviour.
    var environment: [String: String] {
        ["PATH": "\(self.folder):/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"]
    }

    /// The installation of the data's version; without data the newest one.
    package static func choose(
        from installed: [Installation], dataMajors: [Int], folder: String
    ) -> Result<Installation, EmbeddedPostgresError> {
        guard let newest = installed.max(by: { $0.major < $1.major }) else { return .failure(.notInstalled) }
        guard let data = dataMajors.max() else { return .success(newest) }
        if let same = installed.first(where: { $0.major == data }) { return .success(same) }
        let majors = Set(installed.map(\.major)).sorted()
        return .failure(.versionMissing(folder: folder, major: data, installed: majors))
    }

    /// The major version in what `postgres --version` prints.
    package static func major(fromVersionLine line: String) -> Int? {
        guard let mark = line.range(of: "(PostgreSQL) ") else { return nil }
        return Int(line[mark.upperBound...].prefix(while: { $0.isASCII && $0.isNumber }))
    }
}
