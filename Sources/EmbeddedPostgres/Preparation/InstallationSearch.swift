import Foundation

/// Looks for PostgreSQL's server programs on this system.
enum InstallationSearch {
    /// Debian's installations; when there is none, what the search path has.
    static func all(searchPath: String, debian: String = "/usr/lib/postgresql") -> [Installation] {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: debian)) ?? []
        let packaged = versions.compactMap { version -> Installation? in
            guard let major = Int(version) else { return nil }
            let folder = "\(debian)/\(version)/bin"
            return Self.isComplete(folder) ? Installation(major: major, folder: folder) : nil
        }
        return packaged.isEmpty ? Self.onSearchPath(searchPath) : packaged
    }

    private static func onSearchPath(_ searchPath: String) -> [Installation] {
        searchPath.split(separator: ":").compactMap { entry -> Installation? in
            // Often a link to one program of a complete folder elsewhere.
            let program = URL(fileURLWithPath: "\(entry)/initdb").resolvingSymlinksInPath().path
            let folder = String(program.prefix(upTo: program.lastIndex(of: "/") ?? program.startIndex))
            guard Self.isComplete(folder), let major = Self.major(of: folder + "/postgres") else {
                return nil
            }
            return Installation(major: major, folder: folder)
        }
    }

    private static func isComplete(_ folder: String) -> Bool {
        ["initdb", "postgres"].allSatisfy { FileManager.default.isExecutableFile(atPath: "\(folder)/\($0)") }
    }

    private static func major(of program: String) -> Int? {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["--version"]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Installation.major(fromVersionLine: text)
    }
}
