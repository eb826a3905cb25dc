import Foundation
import Glibc
import Synchronization

/// One client: a thread, and a connection that it keeps.
final class FileClient: Sendable {
    private let load: FileRequests
    private let number: Int
    private let body: SharedBody
    private let end: ContinuousClock.Instant
    private let result = Mutex<Result<Course, FileConnection.Failure>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    init(_ load: FileRequests, number: Int, body: SharedBody, until end: ContinuousClock.Instant) {
        self.load = load
        self.number = number
        self.body = body
        self.end = end
    }

    func start() {
        Thread {
            let result = Result { () throws(FileConnection.Failure) in try self.work() }
            self.result.withLock { $0 = result }
            self.done.signal()
        }.start()
    }

    func join() throws -> Course {
        self.done.wait()
        return try self.result.withLock { $0 }?.get() ?? Course()
    }

    private func work() throws(FileConnection.Failure) -> Course {
        let connection = try FileConnection(host: self.load.host, port: self.load.port)
        var course = Course()
        var now = ContinuousClock.now
        var count = self.number
        repeat {
            switch self.load.kind {
            case .get: try self.get(count % self.load.files, on: connection)
            case .put: try self.put("c\(self.number)-\(count)", on: connection)
            case .tus: try self.upload("c\(self.number)-\(count)", on: connection)
            }
            count += 1
            let after = ContinuousClock.now
            course.operations += 1
            course.latencies.record(now.duration(to: after))
            now = after
        } while now < self.end
        return course
    }

    private func get(_ file: Int, on connection: FileConnection) throws(FileConnection.Failure) {
        let answer = try connection.exchange(self.head("GET", "\(self.load.path)\(file)"))
        guard answer.status == 200, answer.bodyBytes == Int64(self.load.size) else {
            throw .init(description: "GET answered \(answer.status), \(answer.bodyBytes) bytes")
        }
    }

    private func put(_ name: String, on connection: FileConnection) throws(FileConnection.Failure) {
        let answer = try connection.exchange(
            self.head("PUT", self.load.path + name, "Content-Length: \(self.load.size)\r\n"),
            body: self.body.bytes)
        guard answer.status == 201 else { throw .init(description: "PUT answered \(answer.status)") }
        guard let folder = self.load.syncedFolder else { return }
        let file = (self.load.path + name).split(separator: "/").last.map(String.init) ?? name
        try Self.sync("\(folder)/\(file)", O_RDONLY)
        try Self.sync(folder, O_RDONLY | O_DIRECTORY)
    }

    private func upload(_ name: String, on connection: FileConnection) throws(FileConnection.Failure) {
        let tus = "Tus-Resumable: 1.0.0\r\n"
        let created = try connection.exchange(
            self.head(
                "POST", self.load.path + name,
                tus + "Upload-Length: \(self.load.size)\r\nContent-Length: 0\r\n"))
        guard created.status == 201, let location = created.fields["location"] else {
            throw .init(description: "POST answered \(created.status)")
        }
        let path =
            location.split(separator: "/", maxSplits: 2).count == 3 && location.hasPrefix("http")
            ? "/"
                + location.split(separator: "/", maxSplits: 2)[2].split(separator: "/").dropFirst()
                .joined(separator: "/") : location
        var offset = 0
        while offset < self.load.size {
            let piece = UnsafeRawBufferPointer(
                rebasing: self.body.bytes[offset..<min(offset + self.load.chunk, self.load.size)])
            let answer = try connection.exchange(
                self.head(
                    "PATCH", path,
                    tus + "Upload-Offset: \(offset)\r\nContent-Length: \(piece.count)\r\n"
                        + "Content-Type: application/offset+octet-stream\r\n"), body: piece)
            offset += piece.count
            guard answer.status == 204, answer.fields["upload-offset"] == "\(offset)" else {
                throw .init(description: "PATCH before \(offset) answered \(answer.status)")
            }
        }
    }

    private func head(_ method: String, _ path: String, _ more: String = "") -> String {
        """
        \(method) \(path) HTTP/1.1\r
        Host: \(self.load.host):\(self.load.port)\r
        Authorization: \(self.load.authorization)\r
        \(more)\r

        """
    }

    private static func sync(_ path: String, _ flags: CInt) throws(FileConnection.Failure) {
        let file = open(path, flags | O_CLOEXEC)
        defer { close(file) }
        guard file >= 0, fsync(file) == 0 else {
            throw .init(description: "sync of \(path): \(String(cString: strerror(errno)))")
        }
    }
}
