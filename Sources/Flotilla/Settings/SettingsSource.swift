import Configuration
import Foundation
import SystemPackage
import Yams

/// Reads settings from flags, then the environment, then the file; the first that has a setting wins.
package struct SettingsSource {
    private let reader: ConfigReader
    /// What cannot be overlooked, found while the sources were opened.
    package private(set) var faults: [String] = []
    /// What looks like a mistake but may be meant for somebody else.
    package private(set) var warnings: [String] = []

    /// - Parameters:
    ///   - flags: by setting, as given on the command line.
    ///   - environment: all of it; only `FLOTILLA_…` counts.
    ///   - file: a YAML or JSON file, or nil.
    package init(flags: [SettingKey: String], environment: [String: String], file: String?) async throws {
        var providers: [any ConfigProvider] = []
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for (key, value) in flags {
            values[AbsoluteConfigKey(key.path)] = ConfigValue(.string(value), isSecret: key.secret)
        }
        providers.append(InMemoryProvider(name: "flags", values: values))
        let resolved = SecretFiles.resolve(environment)
        self.faults += resolved.faults
        self.warnings += Self.unknown(in: environment)
        providers.append(
            EnvironmentVariablesProvider(environmentVariables: resolved.environment)
                .prefixKeys(with: ConfigKey(["flotilla"])))
        if let file {
            self.faults += try Self.unknownKeys(inFile: file)
            do {
                providers.append(try await FileProvider<YAMLSnapshot>(filePath: FilePath(file)))
            } catch {
                throw SettingsError(faults: ["the file \(file) (--config) cannot be read: \(error)"])
            }
        }
        self.reader = ConfigReader(providers: providers)
    }

    /// The setting as text, whatever type it has in the file.
    package func text(_ key: SettingKey) -> String? {
        let path = ConfigKey(key.path)
        if let text = self.reader.string(forKey: path, isSecret: key.secret) { return text }
        if let number = self.reader.int(forKey: path, isSecret: key.secret) { return String(number) }
        return nil
    }

    private static func unknown(in environment: [String: String]) -> [String] {
        let known = Set(SettingKey.all.flatMap { [$0.variable, $0.variable + "_FILE"] })
        let others: Set<String> = ["FLOTILLA_ADMIN", "FLOTILLA_ADMIN_TOKEN", "FLOTILLA_CONFIG"]
        return environment.keys.sorted().filter {
            $0.hasPrefix("FLOTILLA_") && !known.contains($0) && !others.contains($0)
                && !$0.hasPrefix("FLOTILLA_TEST_")
        }.map { "the environment variable \($0) is no setting of Flotilla's" }
    }

    private static func unknownKeys(inFile file: String) throws -> [String] {
        let text: String
        do {
            text = try String(contentsOfFile: file, encoding: .utf8)
        } catch {
            throw SettingsError(faults: [
                "the file \(file) (--config) cannot be read: \(error.localizedDescription)"
            ])
        }
        let found: Node?
        do {
            found = try Yams.compose(yaml: text)
        } catch {
            throw SettingsError(faults: ["the file \(file) (--config) is not YAML\(Self.place(of: error))"])
        }
        guard let node = found else { return [] }
        let known = Set(SettingKey.all.map(\.key))
        return Self.leaves(of: node, under: "").filter { !known.contains($0) }.map {
            "the file \(file) has the setting “\($0)”, which does not exist"
        }
    }

    /// Where and what, without the text around it, which may hold a password.
    private static func place(of error: any Error) -> String {
        switch error as? YamlError {
        case .parser(_, let problem, let mark, _), .scanner(_, let problem, let mark, _):
            ": line \(mark.line): \(problem)"
        default: ""
        }
    }

    private static func leaves(of node: Node, under prefix: String) -> [String] {
        guard let mapping = node.mapping else { return prefix.isEmpty ? [] : [prefix] }
        return mapping.flatMap { key, value in
            let name = key.string ?? "?"
            return Self.leaves(of: value, under: prefix.isEmpty ? name : "\(prefix).\(name)")
        }
    }
}

/// `FLOTILLA_X_FILE` names a file that holds the value of `FLOTILLA_X`, as secrets of containers come.
enum SecretFiles {
    static func resolve(_ environment: [String: String]) -> (environment: [String: String], faults: [String])
    {
        var resolved = environment
        var faults: [String] = []
        for key in SettingKey.all {
            let variable = key.variable + "_FILE"
            guard let file = environment[variable] else { continue }
            if environment[key.variable] != nil {
                faults.append("\(key.variable) and \(variable) are both given; only one may be")
                continue
            }
            do {
                let text = try String(contentsOfFile: file, encoding: .utf8)
                resolved[key.variable] = text.trimmingCharacters(in: .whitespacesAndNewlines)
            } catch {
                faults.append("\(variable): the file \(file) cannot be read: \(error.localizedDescription)")
            }
        }
        return (resolved, faults)
    }
}
