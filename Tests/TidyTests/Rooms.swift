/// Which room may import which, as docs/ARCHITECTURE.md has it.
///
/// The executable may import every other.
enum Rooms {
    static let imports: [String: Set<String>] = [
        "ClusterModel": [],
        "Coordinator": ["ClusterModel"],
        "ClusterPorts": ["ClusterModel"],
        "ClusterRuntime": ["ClusterModel", "Coordinator", "ClusterPorts"],
        "Simulator": ["ClusterModel", "Coordinator", "ClusterPorts"],
        "FileService": ["ClusterModel", "ClusterPorts"],
        "WorkService": ["ClusterModel", "ClusterPorts"],
        "CLibPQ": [],
        "CHiredis": [],
        "CSendCork": [],
        "CLinux": [],
        "ReadinessLoop": ["CLinux"],
        "PostgresDriver": ["CLibPQ", "CSendCork", "ReadinessLoop"],
        "RedisDriver": ["CHiredis", "ReadinessLoop"],
        "PostgresStore": ["ClusterModel", "ClusterPorts", "PostgresDriver"],
        "RedisCache": ["ClusterModel", "ClusterPorts", "RedisDriver"],
        "SharedMount": ["ClusterModel", "ClusterPorts", "CLinux"],
        "EmbeddedPostgres": ["CLinux"],
        "BalancerAgent": ["ClusterModel", "ClusterPorts", "Coordinator"],
        "HTTPDoor": ["ClusterModel", "ClusterPorts"],
        "FilesHTTP": ["ClusterModel", "ClusterPorts", "FileService", "HTTPDoor"],
        "AdminHTTP": ["ClusterModel", "ClusterPorts", "FileService", "HTTPDoor"],
        "ClusterTestKit": [
            "ClusterModel", "ClusterPorts", "PostgresDriver", "PostgresStore", "ReadinessLoop",
        ],
        "Flotilla": [
            "ClusterModel", "ClusterPorts", "Coordinator", "ClusterRuntime", "PostgresDriver", "RedisDriver",
            "ReadinessLoop", "PostgresStore", "RedisCache", "EmbeddedPostgres", "SharedMount", "FileService",
            "WorkService", "HTTPDoor", "FilesHTTP", "AdminHTTP", "BalancerAgent", "Simulator", "CLinux",
        ],
    ]

    /// Libraries that only some rooms may import: HTTP stays in the front doors, the executable and what jobs send.
    static let libraries: [String: Set<String>] = [
        "Hummingbird": ["HTTPDoor", "FilesHTTP", "AdminHTTP", "Flotilla"],
        "HTTPTypes": ["HTTPDoor", "FilesHTTP", "AdminHTTP", "Flotilla"],
        "AsyncHTTPClient": ["Flotilla", "WorkService"],
        "ArgumentParser": ["Flotilla"],
        "Configuration": ["Flotilla"],
    ]

    static let rule = Rule(
        "rooms import only what the table allows", where: { $0.isSource && $0.isSwift },
        caught: [
            Rule.source("import PostgresStore", room: "FileService"),
            Rule.source("package import FileService", room: "ClusterPorts"),
            Rule.source("@testable import AdminHTTP", room: "FilesHTTP"),
            Rule.source("import ClusterModel", room: "PostgresDriver"),
            Rule.source("import struct Hummingbird.Request", room: "FileService"),
            Rule.source("import CLibPQ", room: "PostgresStore"),
        ],
        fine: [
            Rule.source("package import ClusterModel", room: "FileService"),
            Rule.source("import Foundation", room: "FileService"),
            Rule.source("// import PostgresStore", room: "FileService"),
            Rule.source("import Hummingbird", room: "FilesHTTP"),
        ],
        check: { file in
            guard let room = file.room else { return [] }
            return Self.modules(in: file.code).compactMap { line, module in
                guard module != room else { return nil }
                let ours = Self.imports.keys.contains(module) && Self.imports[room]?.contains(module) != true
                let theirs = Self.libraries[module].map { !$0.contains(room) } ?? false
                guard ours || theirs else { return nil }
                return Violation(path: file.path, line: line, reason: "\(room) may not import \(module)")
            }
        })

    /// The modules that `code` imports, each with its line.
    static func modules(in code: String) -> [(line: Int, module: String)] {
        let pattern =
            #/^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:(?:package|public|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias|actor)\s+)?(\w+)/#
        return code.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap {
            index, line in
            line.prefixMatch(of: pattern).map { (index + 1, String($0.output.1)) }
        }
    }
}
