import Flotilla
import Testing

@Suite struct FreePortsTests {
    private static func choose(
        _ flags: [SettingKey: String] = [:], taken: Set<Int>
    ) async throws -> FreePorts.Choice {
        let settings = try await SettingsTests.read(flags: flags)
        return try FreePorts.choose(settings, isFree: { port, _ in !taken.contains(port) })
    }

    @Test func `free defaults are taken as they are`() async throws {
        let choice = try await Self.choose(taken: [])
        #expect(choice.files == 8080 && choice.admin == 8081 && choice.agent == 8082)
        #expect(choice.notes.isEmpty)
    }

    @Test func `taken defaults are replaced by the next free ones, and it is said`() async throws {
        let choice = try await Self.choose(taken: [8080, 8081, 8083])
        #expect(choice.files == 8082 && choice.admin == 8084 && choice.agent == 8085)
        #expect(choice.notes.count == 3)
        #expect(choice.notes.first?.contains("8080") == true && choice.notes.first?.contains("8082") == true)
    }

    @Test func `one port that was asked for leaves the other a default`() async throws {
        let choice = try await Self.choose([.filesPort: "9000"], taken: [8081])
        #expect(choice.files == 9000 && choice.admin == 8082 && choice.agent == 8083)
    }

    @Test func `a default makes room for the port that was asked for`() async throws {
        let choice = try await Self.choose([.adminPort: "8080"], taken: [])
        #expect(choice.files == 8081 && choice.admin == 8080 && choice.agent == 8082)
    }

    @Test(arguments: [SettingKey.filesPort, .adminPort, .agentPort])
    func `a taken port that was asked for is refused by its flag`(key: SettingKey) async throws {
        let error = await #expect(throws: StartError.self) {
            try await Self.choose([key: "9000"], taken: [9000])
        }
        #expect(error?.description.contains("9000") == true && error?.description.contains(key.flag) == true)
        #expect(error?.exitCode == 69)
    }

    @Test func `any free port is nobody's to check`() async throws {
        let choice = try await Self.choose([.filesPort: "0", .adminPort: "0"], taken: [8080, 8081])
        #expect(choice.files == 0 && choice.admin == 0)
    }

    @Test func `an address of another machine is a wrong setting`() async throws {
        for address in ["203.0.113.7", "nowhere.invalid"] {
            let settings = try await SettingsTests.read(flags: [.bind: address])
            let error = #expect(throws: SettingsError.self) { try FreePorts.choose(settings) }
            #expect(error?.faults.first?.hasPrefix("bind") == true)
        }
    }
}
