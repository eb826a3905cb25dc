import Foundation
import Glibc

/// A keep-alive HTTP/1.1 connection that blocks: the cheapest client that still reads every byte.
final class FileConnection {
    struct Answer {
        var status: Int
        /// Field names in lower case.
        var fields: [String: String]
        var bodyBytes: Int64
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let socket: CInt
    private var buffer = [UInt8](repeating: 0, count: 256 << 10)
    /// Bytes of the buffer that were read and not used yet.
    private var filled = 0..<0
    private static let headBytesMax = 64 << 10

    init(host: String, port: UInt16) throws(Failure) {
        let socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw Self.failure("socket") }
        self.socket = socket
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw Failure(description: "\(host) is no IPv4 address")
        }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Self.failure("connect to \(host):\(port)") }
        var on: CInt = 1
        setsockopt(socket, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
    }

    deinit { Glibc.close(self.socket) }

    /// Sends a request and reads the answer to its end, body included.
    func exchange(_ head: String, body: UnsafeRawBufferPointer = .init(start: nil, count: 0))
        throws(Failure) -> Answer
    {
        let head = Array(head.utf8)
        if body.count > 0 && body.count <= 16 << 10 {
            // As any client does with a small body: one packet.
            try self.send(head + body)
        } else {
            try self.send(head)
            try self.send(body)
        }
        var answer = try self.readHead()
        let isBodiless = answer.status == 204 || answer.status == 304
        let text = answer.fields["content-length"] ?? (isBodiless ? "0" : "")
        guard let length = Int64(text) else {
            throw Failure(description: "\(answer.status) without a content length")
        }
        try self.skip(length)
        answer.bodyBytes = length
        return answer
    }

    private func send(_ bytes: [UInt8]) throws(Failure) {
        var done = 0
        while done < bytes.count {
            let sent = bytes.withUnsafeBytes {
                Self.send(UnsafeRawBufferPointer(rebasing: $0[done...]), to: self.socket)
            }
            guard sent > 0 else { throw Self.failure("send") }
            done += sent
        }
    }

    private func send(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var done = 0
        while done < bytes.count {
            let sent = Self.send(
                UnsafeRawBufferPointer(rebasing: bytes[done...].prefix(1 << 20)), to: self.socket)
            guard sent > 0 else { throw Self.failure("send") }
            done += sent
        }
    }

    private static func send(_ bytes: UnsafeRawBufferPointer, to socket: CInt) -> Int {
        Glibc.send(socket, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
    }

    private func readHead() throws(Failure) -> Answer {
        var head: [UInt8] = []
        while true {
            if self.filled.isEmpty { try self.fill() }
            let byte = self.buffer[self.filled.lowerBound]
            self.filled.removeFirst()
            head.append(byte)
            if byte == UInt8(ascii: "\n"), head.suffix(4) == [13, 10, 13, 10] { break }
            guard head.count < Self.headBytesMax else { throw Failure(description: "a head without an end") }
        }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        let first = lines.first?.split(separator: " ") ?? []
        guard first.count >= 2, let status = Int(first[1]) else {
            throw Failure(description: "no status line: \(lines.first ?? "")")
        }
        if status == 100 { return try self.readHead() }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon].lowercased()] = line[line.index(after: colon)...]
                .trimmingCharacters(in: .whitespaces)
        }
        return Answer(status: status, fields: fields, bodyBytes: 0)
    }

    private func skip(_ count: Int64) throws(Failure) {
        var left = count
        while left > 0 {
            if self.filled.isEmpty { try self.fill() }
            let used = Int(min(left, Int64(self.filled.count)))
            self.filled.removeFirst(used)
            left -= Int64(used)
        }
    }

    private func fill() throws(Failure) {
        let count = self.buffer.withUnsafeMutableBytes { recv(self.socket, $0.baseAddress, $0.count, 0) }
        guard count > 0 else {
            throw count == 0 ? Failure(description: "the server closed the connection") : Self.failure("recv")
        }
        self.filled = 0..<count
    }

    private static func failure(_ call: String) -> Failure {
        Failure(description: "\(call): \(String(cString: strerror(errno)))")
    }
}
