import Foundation

/// The files of this repository, read from the place where these tests were compiled.
enum Repository {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Every text file below the folders that people write, sorted by path.
    static let files: [SourceFile] = {
        let tops = ["Sources", "Tests", "deploy", "docs", ".ci", "Makefile", "Package.swift", "README.md"]
        return tops.flatMap { Self.paths(below: $0) }.sorted().compactMap { path in
            // What is not UTF-8 is a picture or the like.
            guard let text = try? String(contentsOf: Self.root.appending(path: path), encoding: .utf8) else {
                return nil
            }
            return SourceFile(path: path, text: text)
        }
    }()

    static let swift = Self.files.filter(\.isSwift)
    static let rooms = Self.folders(in: "Sources")

    static func folders(in folder: String) -> [String] {
        let url = self.root.appending(path: folder)
        let found = try? FileManager.default.contentsOfDirectory(
            at: url, includingPropertiesForKeys: [.isDirectoryKey], options: .skipsHiddenFiles)
        return (found ?? []).filter { $0.hasDirectoryPath }.map(\.lastPathComponent).sorted()
    }

    private static func paths(below top: String) -> [String] {
        let url = self.root.appending(path: top)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { return [] }
        guard isFolder.boolValue else { return [top] }
        let inside = FileManager.default.enumerator(atPath: url.path)?.compactMap { $0 as? String } ?? []
        return inside.map { top + "/" + $0 }.filter { path in
            var isFolder: ObjCBool = false
            let there = FileManager.default.fileExists(
                atPath: self.root.appending(path: path).path, isDirectory: &isFolder)
            return there && !isFolder.boolValue && !path.contains("__pycache__")
        }
    }
}
