import Foundation
import Glibc
import Logging
import PostgresDriver
import Synchronization
import Testing

/// Certificates, passwords, and who gets to see them.
struct SecurityTests {
    private static let secret = "correct horse \"battery\" staple"

    /// A CA, a certificate of it for `localhost`, and another CA that signed nothing.
    private func makeCertificates(in folder: String) throws {
        let subject = "/CN=localhost"
        func openssl(_ arguments: String...) throws { try PrivateServer.run(["openssl"] + arguments) }
        for name in ["ca", "other"] {
            try openssl(
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=\(name)",
                "-keyout", "\(folder)/\(name).key", "-out", "\(folder)/\(name).crt")
        }
        try openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout", "\(folder)/server.key",
            "-out", "\(folder)/server.csr")
        try openssl(
            "x509", "-req", "-days", "2", "-in", "\(folder)/server.csr", "-CA", "\(folder)/ca.crt", "-CAkey",
            "\(folder)/ca.key", "-CAcreateserial", "-out", "\(folder)/server.crt")
    }

    private func answer(_ configuration: PostgresConfiguration) async throws -> String? {
        var pool = PostgresPoolConfiguration(server: configuration, connections: 1)
        pool.backOff.first = .milliseconds(20)
        return try await withPool(pool) { pool in
            let error = await failure { _ = try await pool.query("select 1", deadline: .seconds(1)) }
            guard let error else { return nil }
            guard case .didNotRun(.deadline(let reason?)) = error else { return "unexpected: \(error)" }
            return reason
        }
    }

    @Test func `verify-full takes the right certificate and refuses others with a clear reason`() async throws
    {
        let server = try PrivateServer()
        defer { server.stop() }
        try self.makeCertificates(in: server.folder)
        try await server.start([
            "ssl": "on", "ssl_cert_file": server.folder + "/server.crt",
            "ssl_key_file": server.folder + "/server.key",
        ])
        func configuration(_ host: String, _ authority: String) -> PostgresConfiguration {
            PostgresConfiguration(
                connectionString: """
                    host=\(host) hostaddr=127.0.0.1 port=\(server.port) user=postgres dbname=postgres \
                    sslmode=verify-full sslrootcert=\(server.folder)/\(authority).crt
                    """, connectDeadline: .seconds(2))
        }
        #expect(try await self.answer(configuration("localhost", "ca")) == nil)
        let wrongAuthority = try await self.answer(configuration("localhost", "other"))
        #expect(wrongAuthority?.contains("certificate verify failed") == true)
        let wrongName = try await self.answer(configuration("elsewhere.example", "ca"))
        #expect(wrongName?.contains("does not match host name \"elsewhere.example\"") == true)
        let missing = try await self.answer(configuration("localhost", "absent"))
        #expect(missing?.contains("absent.crt") == true)
        try await withPool(PostgresPoolConfiguration(server: configuration("localhost", "ca"))) { pool in
            let row = try await pool.query("select ssl from pg_stat_ssl where pid = pg_backend_pid()")[0]
            #expect(try row[0, as: Bool.self])
        }
        let blocking = try BlockingPostgresConnection(configuration("localhost", "ca"), deadline: .seconds(3))
        #expect(try blocking.query("select 1", deadline: .seconds(2)).count == 1)
    }

    @Test func `passwords come from the string, a file, a service or the environment, by SCRAM`() async throws
    {
        try await withPrivateServer { server in
            try server.query(
                PostgresStatement(unescaped: "create role guarded login password '\(Self.secret)'")
                    .unprepared())
            try server.replaceAccessRules(
                "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256")
            try server.query("select pg_reload_conf()")
            let address = "host=127.0.0.1 port=\(server.port) dbname=postgres user=guarded"
            let plain = PostgresConfiguration(connectionString: address)
            var given = plain
            given.parameters["password"] = Self.secret
            #expect(try await self.answer(given) == nil)
            let none = try await self.answer(plain)
            #expect(none?.contains("no password supplied") == true)
            given.parameters["password"] = "wrong and secret"
            let wrong = try await self.answer(given)
            #expect(wrong?.contains("password authentication failed for user \"guarded\"") == true)
            #expect(wrong?.contains("wrong and secret") == false)

            let folder = FileManager.default.temporaryDirectory.path + "/" + UUID().uuidString
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try Data("127.0.0.1:\(server.port):*:guarded:\(Self.secret)\n".utf8)
                .write(to: URL(fileURLWithPath: folder + "/pass"))
            chmod(folder + "/pass", 0o600)
            #expect(
                try await self.answer(
                    PostgresConfiguration(connectionString: "\(address) passfile=\(folder)/pass"))
                    == nil)
            let service = """
                [guarded]
                host=127.0.0.1,127.0.0.1
                port=1,\(server.port)
                dbname=postgres
                user=guarded
                passfile=\(folder)/pass

                """
            try Data(service.utf8).write(to: URL(fileURLWithPath: folder + "/services"))
            setenv("PGSERVICEFILE", folder + "/services", 1)
            defer { unsetenv("PGSERVICEFILE") }
            let byService = PostgresConfiguration(connectionString: "service=guarded")
            #expect(try ConnectionTargets(byService).targets.count == 2)
            #expect(try await self.answer(byService) == nil)
            #expect(throws: PostgresError.self) {
                try PostgresConfiguration(connectionString: "service=absent").check()
            }
            setenv("PGPASSWORD", Self.secret, 1)
            defer { unsetenv("PGPASSWORD") }
            #expect(try await self.answer(plain) == nil)
        }
    }

    @Test(arguments: [
        "host=nowhere password=open sesame", "host=nowhere password='open sesame",
        "postgresql://me:open%zzsesame@nowhere/db", "postgresql://me:sesame@nowhere:port:5/db?x",
    ])
    func `a connection string that is not valid does not show its password`(text: String) throws {
        let error = #expect(throws: PostgresError.self) {
            try PostgresConfiguration(connectionString: text).check()
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains("sesame") == false)
    }

    @Test func `a configuration shows where it leads and no secret`() throws {
        let configuration = PostgresPoolConfiguration(
            server: PostgresConfiguration(
                connectionString: "host=a,b user=me password=sesame sslpassword=sesame",
                parameters: ["password": "sesame"], sessionSettings: ["my.secret": "sesame"]))
        var dumped = ""
        dump(configuration, to: &dumped)
        dump(try ConnectionTargets(configuration.server), to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(text.contains("sesame") == false)
            #expect(text.contains("a,b"))
        }
    }

    @Test func `an unknown keyword is named before anybody connects`() throws {
        let error = #expect(throws: PostgresError.self) {
            try PostgresConfiguration(connectionString: "host=a", parameters: ["colour": "blue"]).check()
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains("colour"))
    }
}
