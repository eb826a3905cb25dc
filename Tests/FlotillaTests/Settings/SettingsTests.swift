import Flotilla
import Foundation
import Testing

@Suite struct SettingsTests {
    static func read(
        flags: [SettingKey: String] = [:], environment: [String: String] = [:], file: String? = nil
    ) async throws -> Settings {
        let source = try await SettingsSource(flags: flags, environment: environment, file: file)
        let user = InvokingUser(
            isRoot: false, stateFolder: "/home/user/.local/state/flotilla", hostName: "machine")
        return try Settings.read(from: source, as: user)
    }

    static func faults(
        flags: [SettingKey: String] = [:], environment: [String: String] = [:], file: String? = nil
    ) async -> [String] {
        do {
            _ = try await Self.read(flags: flags, environment: environment, file: file)
            return []
        } catch let error as SettingsError {
            return error.faults
        } catch {
            return ["\(error)"]
        }
    }

    static func withFile(_ text: String, _ body: (String) async throws -> Void) async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(
            "settings-\(UUID().uuidString).yaml")
        try text.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        try await body(file.path)
    }

    @Test func `without any setting a node is standalone`() async throws {
        let settings = try await Self.read()
        #expect(settings.isStandalone)
        #expect(settings.data == "/home/user/.local/state/flotilla")
        #expect(settings.mount == "/home/user/.local/state/flotilla/mount")
        #expect(settings.filesPort == 8080)
        #expect(settings.adminPort == 8081)
        #expect(settings.agentPort == 8082 && settings.agentPortIsDefault)
        #expect(settings.requestsMax == settings.capacity && settings.accountRequestsMax == nil)
        #expect(settings.uploadsMemory == 256)
        #expect(settings.bind == "127.0.0.1")
        #expect(settings.advertise == "127.0.0.1")
        #expect(settings.databaseConnections == 4)
    }

    @Test func `a flag stands over the environment and that over the file`() async throws {
        try await Self.withFile("files:\n  port: 1001\nadmin:\n  port: 1002\ncapacity: 7\n") { file in
            let settings = try await Self.read(
                flags: [.filesPort: "3001"],
                environment: ["FLOTILLA_FILES_PORT": "2001", "FLOTILLA_ADMIN_PORT": "2002"], file: file)
            #expect(settings.filesPort == 3001)
            #expect(settings.adminPort == 2002)
            #expect(settings.capacity == 7)
            #expect(!settings.filesPortIsDefault && !settings.adminPortIsDefault)
        }
    }

    @Test func `a trusted proxy is an address`() async throws {
        let settings = try await Self.read(flags: [.trustedProxies: "10.0.0.1, ::1"])
        #expect(settings.trustedProxies == ["10.0.0.1", "::1"])
        #expect(try await Self.read(flags: [.trustedProxies: "*"]).trustedProxies == ["*"])
        for text in ["10.0.0.0/8", "balancer", "10.0.0.1,balancer"] {
            let faults = await Self.faults(flags: [.trustedProxies: text])
            #expect(faults.count == 1 && faults[0].contains("trusted.proxies"), "\(text): \(faults)")
        }
    }

    @Test func `webhooks reach the network unless told otherwise`() async throws {
        let usual = try await Self.read()
        #expect("\(usual.webhooksReach)" == "network")
        let told = try await Self.read(environment: ["FLOTILLA_WEBHOOKS_REACH": "any"])
        #expect("\(told.webhooksReach)" == "any")
        let faults = await Self.faults(flags: [.webhooksReach: "private"])
        #expect(faults.count == 1 && faults[0].hasPrefix("webhooks.reach"), "\(faults)")
    }

    @Test func `every fault is named with its setting at once`() async {
        let faults = await Self.faults(
            flags: [.filesPort: "http", .name: "Not A Name"],
            environment: ["FLOTILLA_LOG_LEVEL": "loud", "FLOTILLA_REDIS_URL": "127.0.0.1:6379"])
        #expect(faults.count == 4)
        for key in ["files.port", "name", "log.level", "redis.url"] {
            #expect(faults.contains { $0.hasPrefix(key) }, "\(key) is not named in \(faults)")
        }
    }

    @Test func `an external database needs a mount`() async {
        let faults = await Self.faults(environment: ["FLOTILLA_DATABASE_URL": "postgresql://db/flotilla"])
        #expect(faults.count == 1)
        #expect(faults.first?.hasPrefix("mount") == true)
    }

    @Test func `a file that is not YAML is refused by its line, and its text is not shown`() async throws {
        try await Self.withFile("name: node-1\nredis: [secret\n") { file in
            let faults = await Self.faults(file: file)
            #expect(faults.count == 1 && faults[0].contains(file) && faults[0].contains("line"))
            #expect(!faults.joined().contains("secret"))
        }
    }

    @Test func `a setting that does not exist is refused by its name`() async throws {
        try await Self.withFile("files:\n  prot: 1001\n") { file in
            let faults = await Self.faults(file: file)
            #expect(faults.count == 1)
            #expect(faults.first?.contains("files.prot") == true)
        }
    }

    @Test func `an unknown variable is a warning`() async throws {
        let source = try await SettingsSource(
            flags: [:], environment: ["FLOTILLA_FILES_PROT": "1"], file: nil)
        #expect(source.warnings.count == 1)
        #expect(source.warnings.first?.contains("FLOTILLA_FILES_PROT") == true)
    }

    @Test func `a secret comes from a file`() async throws {
        try await Self.withFile("postgresql://db/flotilla\n") { file in
            let environment = ["FLOTILLA_DATABASE_URL_FILE": file, "FLOTILLA_MOUNT": "/srv/files"]
            let settings = try await Self.read(environment: environment)
            #expect(settings.database == .external("postgresql://db/flotilla"))
            let both = environment.merging(["FLOTILLA_DATABASE_URL": "x"]) { $1 }
            #expect(await Self.faults(environment: both).count == 1)
        }
    }

    @Test func `a missing secret file and a missing settings file are named`() async {
        let faults = await Self.faults(environment: ["FLOTILLA_REDIS_URL_FILE": "/nowhere/secret"])
        #expect(faults.first?.contains("/nowhere/secret") == true)
        let file = await Self.faults(file: "/nowhere/flotilla.yaml")
        #expect(file.first?.contains("/nowhere/flotilla.yaml") == true)
    }

    @Test func `a Redis is given by its address or by its sentinels`() async throws {
        for url in ["redis://cache/1", "unix:///run/r.sock", "redis+sentinel://:pw@s1,s2:26380/mymaster/0"] {
            #expect(try await Self.read(flags: [.redisURL: url]).redisURL == url)
        }
    }

    @Test func `what is wrong with the address of a Redis is said without its password`() async {
        for (url, word) in [
            ("redis+sentinel://:hidden@s1,s2", "names no master"), ("redis://:hidden@c:x", "port 'x'"),
            ("redis://:hidden@c?db=1", "'db'"), ("http://:hidden@c", "scheme 'http'"),
        ] {
            let faults = await Self.faults(flags: [.redisURL: url])
            #expect(faults.count == 1)
            #expect(faults.first?.hasPrefix("redis.url") == true)
            #expect(faults.first?.contains(word) == true, "\(faults)")
            #expect(faults.first?.contains("hidden") == false, "\(faults)")
        }
    }

    @Test func `wildcard addresses advertise the host name`() async throws {
        let settings = try await Self.read(environment: ["FLOTILLA_BIND": "0.0.0.0"])
        #expect(settings.advertise == "machine")
    }

    @Test func `relative paths are made absolute before anything changes the working folder`() async throws {
        let settings = try await Self.read(flags: [.data: "state"])
        let here = FileManager.default.currentDirectoryPath
        #expect(settings.data == here + "/state")
        #expect(settings.mount == here + "/state/mount")
        #expect(settings.tokenFile == here + "/state/admin-token")
    }

    @Test func `one port for both doors is refused`() async {
        let faults = await Self.faults(flags: [.filesPort: "9000", .adminPort: "9000"])
        #expect(faults.first?.hasPrefix("admin.port") == true)
        let three = await Self.faults(flags: [.adminPort: "9000", .agentPort: "9000", .filesPort: "0"])
        #expect(three.count == 1 && three.first?.hasPrefix("agent.port") == true, "\(three)")
    }

    @Test func `bounds of admission come from every source, and 0 is no bound for an account`() async throws {
        try await Self.withFile("capacity: 50\nrequests:\n  account: 3\n") { file in
            let settings = try await Self.read(
                flags: [.uploadsMemory: "64"], environment: ["FLOTILLA_REQUESTS_MAX": "80"], file: file)
            #expect(settings.capacity == 50 && settings.requestsMax == 80 && settings.uploadsMemory == 64)
            #expect(settings.accountRequestsMax == 3)
        }
        #expect(try await Self.read(flags: [.accountRequestsMax: "0"]).accountRequestsMax == nil)
        let faults = await Self.faults(flags: [.requestsMax: "0", .uploadsMemory: "x"])
        #expect(faults.count == 2, "\(faults)")
    }

    @Test func `secrets are never shown`() async throws {
        let settings = try await Self.read(
            environment: [
                "FLOTILLA_DATABASE_URL": "postgresql://u:secret@db/x",
                "FLOTILLA_REDIS_URL": "redis://:secret@c",
                "FLOTILLA_MOUNT": "/m",
            ])
        #expect(!SettingsTable.lines(settings).joined().contains("secret"))
    }
}
