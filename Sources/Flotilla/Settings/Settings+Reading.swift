import ClusterModel
import Foundation
import Logging
import NIOCore
import RedisDriver
import WorkService

extension Settings {
    static let defaultFilesPort = 8080
    static let defaultAdminPort = 8081
    static let defaultAgentPort = 8082
    static let defaultCapacity = 1_024
    /// As much as the file service's own bound on uploads at a time comes to.
    static let defaultUploadsMemory = 256
    static let defaultJobsMax = 64

    /// All settings, or every fault that they have.
    package static func read(from source: SettingsSource, as user: InvokingUser) throws -> Settings {
        var reading = Reading(source: source)
        let databaseURL = source.text(.databaseURL)
        let data = source.text(.data) ?? user.stateFolder
        var mount = source.text(.mount)
        if mount == nil {
            if databaseURL == nil {
                mount = data + "/mount"
            } else {
                reading.fault(
                    .mount, "it is needed with an external database: the folder that all nodes share")
            }
        }
        let bind = source.text(.bind) ?? "127.0.0.1"
        let capacity = reading.number(.capacity, in: 1...100_000, or: Self.defaultCapacity)
        let ofAccount = reading.number(.accountRequestsMax, in: 0...100_000, or: 0)
        let settings = Settings(
            name: reading.name(.name),
            data: reading.path(.data, data),
            mount: reading.path(.mount, mount ?? "/"),
            database: databaseURL.map(Database.external) ?? .embedded,
            databaseConnections: reading.number(
                .databaseConnections, in: 1...64, or: databaseURL == nil ? 4 : 2),
            redisURL: reading.redis(.redisURL),
            bind: bind,
            filesPort: reading.number(.filesPort, in: 0...65_535, or: Self.defaultFilesPort),
            adminPort: reading.number(.adminPort, in: 0...65_535, or: Self.defaultAdminPort),
            filesPortIsDefault: source.text(.filesPort) == nil,
            adminPortIsDefault: source.text(.adminPort) == nil,
            agentPort: reading.number(.agentPort, in: 0...65_535, or: Self.defaultAgentPort),
            agentPortIsDefault: source.text(.agentPort) == nil,
            advertise: source.text(.advertise) ?? (Self.wildcards.contains(bind) ? user.hostName : bind),
            trustedProxies: reading.addresses(.trustedProxies),
            capacity: capacity,
            requestsMax: reading.number(.requestsMax, in: 1...100_000, or: capacity),
            accountRequestsMax: ofAccount == 0 ? nil : ofAccount,
            uploadsMemory: reading.number(.uploadsMemory, in: 1...65_536, or: Self.defaultUploadsMemory),
            jobsMax: reading.number(.jobsMax, in: 1...1_000, or: Self.defaultJobsMax),
            webhooksReach: reading.reach(.webhooksReach),
            logLevel: reading.level(.logLevel),
            user: source.text(.user),
            tokenFile: reading.path(.tokenFile, source.text(.tokenFile) ?? data + "/admin-token"))
        reading.clashes(settings)
        guard reading.faults.isEmpty else { throw SettingsError(faults: reading.faults) }
        return settings
    }

    private static let wildcards: Set<String> = ["0.0.0.0", "::", ""]

    /// Collects faults, so that a person sees all of them at once.
    private struct Reading {
        let source: SettingsSource
        var faults: [String]

        init(source: SettingsSource) {
            self.source = source
            self.faults = source.faults
        }

        mutating func fault(_ key: SettingKey, _ reason: String) { self.faults.append("\(key): \(reason)") }

        /// Ports that were asked for, and are the same.
        mutating func clashes(_ settings: Settings) {
            let asked: [(key: SettingKey, what: String, port: Int, isDefault: Bool)] = [
                (.filesPort, "the files", settings.filesPort, settings.filesPortIsDefault),
                (.adminPort, "operators", settings.adminPort, settings.adminPortIsDefault),
                (.agentPort, "balancers", settings.agentPort, settings.agentPortIsDefault),
            ].filter { $0.port != 0 && !$0.isDefault }
            for (index, one) in asked.enumerated() {
                for other in asked[..<index] where other.port == one.port {
                    self.fault(one.key, "it is the port of \(other.what) too (\(one.port))")
                }
            }
        }

        mutating func name(_ key: SettingKey) -> NodeName? {
            guard let text = self.source.text(key) else { return nil }
            guard let name = NodeName(text) else {
                self.fault(
                    key, "“\(text)” is no name: 1 to 63 of a-z 0-9 . -, beginning with a letter or a digit")
                return nil
            }
            return name
        }

        mutating func path(_ key: SettingKey, _ text: String) -> String {
            guard text.hasPrefix("/") else {
                let absolute = FileManager.default.currentDirectoryPath + "/" + text
                guard !text.isEmpty else {
                    self.fault(key, "it is empty")
                    return "/"
                }
                return absolute
            }
            return text
        }

        mutating func number(_ key: SettingKey, in range: ClosedRange<Int>, or fallback: Int) -> Int {
            guard let text = self.source.text(key) else { return fallback }
            guard let number = Int(text), range.contains(number) else {
                self.fault(key, "“\(text)” is no number from \(range.lowerBound) to \(range.upperBound)")
                return fallback
            }
            return number
        }

        /// Compared as they are with the other end's address: a name or a network would never match.
        mutating func addresses(_ key: SettingKey) -> Set<String> {
            let texts = (self.source.text(key) ?? "").split(separator: ",").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            for text in texts where text != "*" && (try? SocketAddress(ipAddress: text, port: 0)) == nil {
                self.fault(key, "“\(text)” is neither an IP address nor *")
            }
            return Set(texts)
        }

        mutating func redis(_ key: SettingKey) -> String? {
            guard let text = self.source.text(key), !text.isEmpty else { return nil }
            do throws(RedisURLError) {
                _ = try RedisURL(text)
                return text
            } catch {
                self.fault(key, "\(error)")
                return nil
            }
        }

        mutating func reach(_ key: SettingKey) -> ReceiverReach {
            guard let text = self.source.text(key) else { return .network }
            guard let reach = ReceiverReach(rawValue: text.lowercased()) else {
                let all = ReceiverReach.allCases.map(\.rawValue).joined(separator: ", ")
                self.fault(key, "“\(text)” is none of \(all)")
                return .network
            }
            return reach
        }

        mutating func level(_ key: SettingKey) -> Logger.Level {
            guard let text = self.source.text(key) else { return .info }
            guard let level = Logger.Level(rawValue: text.lowercased()) else {
                let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
                self.fault(key, "“\(text)” is no log level: \(levels)")
                return .info
            }
            return level
        }
    }
}

/// Who started the program, as far as defaults depend on it.
package struct InvokingUser: Sendable, Equatable {
    package var isRoot: Bool
    /// `/var/lib/flotilla`, or the user's XDG state folder.
    package var stateFolder: String
    package var hostName: String

    package init(isRoot: Bool, stateFolder: String, hostName: String) {
        self.isRoot = isRoot
        self.stateFolder = stateFolder
        self.hostName = hostName
    }

    static func current(environment: [String: String]) -> InvokingUser {
        let isRoot = geteuid() == 0
        let home = environment["HOME"] ?? NSHomeDirectory()
        let state = environment["XDG_STATE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? home + "/.local/state"
        return InvokingUser(
            isRoot: isRoot, stateFolder: isRoot ? "/var/lib/flotilla" : state + "/flotilla",
            hostName: ProcessInfo.processInfo.hostName)
    }
}
