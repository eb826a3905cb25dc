import Foundation
import RedisDriver

/// An authority and a certificate that it gave to one name or numeric address, in a folder of their own.
final class Certificates {
    private let folder: URL

    init(name: String) throws {
        self.folder = FileManager.default.temporaryDirectory.appending(
            path: "redis-tls-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
        let isAddress = name.allSatisfy { $0.isNumber || $0 == "." }
        try "subjectAltName=\(isAddress ? "IP" : "DNS"):\(name)\n".write(
            toFile: self.path("names"), atomically: true, encoding: .utf8)
        let openssl = "/usr/bin/openssl"
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        _ = try command(
            openssl,
            ["req", "-x509", "-days", "2", "-subj", "/CN=test authority"] + key
                + ["-keyout", self.path("ca.key"), "-out", self.path("ca.pem")])
        _ = try command(
            openssl,
            ["req", "-subj", "/CN=test server"] + key
                + ["-keyout", self.path("server.key"), "-out", self.path("server.csr")])
        _ = try command(
            openssl,
            [
                "x509", "-req", "-days", "2", "-in", self.path("server.csr"), "-CA", self.path("ca.pem"),
                "-CAkey", self.path("ca.key"), "-CAcreateserial", "-extfile", self.path("names"),
                "-out", self.path("server.pem"),
            ])
    }

    deinit { try? FileManager.default.removeItem(at: self.folder) }

    func path(_ file: String) -> String { self.folder.appending(path: file).path }
}

/// A redis-server that speaks TLS and nothing else on `port`.
final class TLSServer {
    let certificates: Certificates
    let port: Int
    private let process: RedisProcess

    init(name: String = "localhost", asksClients: Bool = false) throws {
        let certificates = try Certificates(name: name)
        self.certificates = certificates
        self.port = try freePort()
        self.process = try RedisProcess(
            "--tls-port", "\(self.port)", "--tls-cert-file", certificates.path("server.pem"),
            "--tls-key-file", certificates.path("server.key"), "--tls-ca-cert-file",
            certificates.path("ca.pem"), "--tls-auth-clients", asksClients ? "yes" : "no")
    }
}
