import CHiredis
import Glibc

/// One hiredis connection in its non-blocking form; belongs to the thread of the loop.
///
/// hiredis connects, buffers, writes, reads and parses here. Who waits for which reply is kept in Swift and
/// not with hiredis' `redisAsyncContext`: that one ends the process with an assertion when the server sends a
/// reply that nobody asked for or an odd subscription message, and a lying Redis must not end a node.
/// Versions 0.14 and 1.x are used alike; TLS is in 1.x only, and found when the program runs.
@safe final class HiredisContext {
    private let context: UnsafeMutablePointer<redisContext>
    /// Whether some bytes still wait for the socket to be writable.
    private(set) var hasUnsent = false
    /// Bytes read since the last whole reply.
    private var unfinishedBytes = 0
    private let replyBytesMax: Int
    /// Over TLS: what was begun, and whether the handshake may still go on.
    private var session: Session?
    private(set) var isShakingHands = false

    @safe private struct Session {
        let tls: TLSContext
        let session: UnsafeMutableRawPointer
    }

    static var libraryVersion: String { "\(HIREDIS_MAJOR).\(HIREDIS_MINOR).\(HIREDIS_PATCH)" }

    /// What one `read` takes at most.
    static let readSize = 16 * 1024

    /// Starts to connect; `connectFailure` says how it went once the descriptor is writable.
    ///
    /// - Parameter address: with a numeric host, since hiredis would resolve a name in place.
    init(connectingTo address: ServerAddress, replyBytesMax: Int) throws(RedisError) {
        let made =
            switch address.place {
            case .tcp(let host, let port): unsafe redisConnectNonBlock(host, CInt(port))
            case .unix(let path): unsafe redisConnectUnixNonBlock(path)
            }
        guard let context = unsafe made else { throw .unavailable("hiredis got no memory") }
        unsafe self.context = context
        self.replyBytesMax = replyBytesMax
        guard unsafe context.pointee.err == 0 else { throw .unavailable(self.failure) }
        unsafe context.pointee.reader.pointee.fn = ReplyFactory.bounded
        // Children of this process must not keep the connection open.
        _ = unsafe fcntl(context.pointee.fd, F_SETFD, FD_CLOEXEC)
        if case .tcp = address.place { unsafe redisEnableKeepAlive(context) }
    }

    deinit {
        unsafe redisFree(self.context)
    }

    var descriptor: CInt { unsafe self.context.pointee.fd }

    /// Why the connection did not come about; nil when it did.
    var connectFailure: String? {
        var code: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        if unsafe getsockopt(self.descriptor, SOL_SOCKET, SO_ERROR, &code, &size) != 0 { code = errno }
        return code == 0 ? nil : unsafe String(cString: strerror(code))
    }

    /// Begins TLS on the connected socket; the handshake goes on with `read` and `flush`.
    func beginTLS(_ tls: TLSContext, name: String) throws(RedisError) {
        var functions = tls.functions
        var session: UnsafeMutableRawPointer?
        let code = unsafe flotilla_tls_begin(
            &functions, tls.context, self.context, name, isNumericHost(name) ? 1 : 0, &session)
        guard code == REDIS_OK, let session = unsafe session else {
            throw .unavailable("TLS did not begin: \(self.failure)")
        }
        self.session = unsafe Session(tls: tls, session: session)
        self.isShakingHands = true
    }

    /// Buffers commands in their wire form.
    func append(_ bytes: [UInt8]) throws(RedisError) {
        guard !bytes.isEmpty else { return }
        let code = unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe buffer.withMemoryRebound(to: CChar.self) { text in
                unsafe redisAppendFormattedCommand(self.context, text.baseAddress, text.count)
            }
        }
        guard code == REDIS_OK else { throw .connectionLost(self.failure) }
        self.hasUnsent = true
    }

    /// Writes what the socket takes now.
    func flush() throws(RedisError) {
        guard self.hasUnsent else { return }
        var done: CInt = 0
        guard unsafe redisBufferWrite(self.context, &done) == REDIS_OK else {
            throw .connectionLost(self.failure)
        }
        self.hasUnsent = done == 0
    }

    /// Reads once; answers how many bytes came.
    func read() throws(RedisError) -> Int {
        let reader = unsafe self.context.pointee.reader
        let before = unsafe reader?.pointee.len ?? 0
        guard unsafe redisBufferRead(self.context) == REDIS_OK else { throw .connectionLost(self.failure) }
        let count = unsafe (reader?.pointee.len ?? 0) - before
        if count > 0 { self.isShakingHands = false }
        self.unfinishedBytes += count
        guard self.unfinishedBytes <= self.replyBytesMax else {
            throw .malformed("a reply of more than \(self.replyBytesMax) bytes")
        }
        return count
    }

    /// The next whole reply that was read; nil when there is none.
    func nextReply() throws(RedisError) -> RedisValue? {
        var raw: UnsafeMutableRawPointer?
        guard unsafe redisGetReplyFromReader(self.context, &raw) == REDIS_OK else {
            throw .malformed(self.failure)
        }
        guard let raw = unsafe raw else { return nil }
        defer { unsafe freeReplyObject(raw) }
        self.unfinishedBytes = 0
        return try unsafe RedisValue(raw.assumingMemoryBound(to: redisReply.self))
    }

    private var failure: String {
        if let session = self.session, self.isShakingHands {
            var functions = session.tls.functions
            let verdict = unsafe flotilla_tls_verdict(&functions, session.session)
            if let verdict = unsafe verdict {
                return "its certificate was not accepted: \(unsafe String(cString: verdict))"
            }
            return "the TLS handshake failed: \(self.libraryFailure)"
        }
        return self.libraryFailure
    }

    private var libraryFailure: String {
        guard unsafe self.context.pointee.err != REDIS_ERR_OOM else { return ReplyFactory.refusal }
        return unsafe withUnsafePointer(to: &self.context.pointee.errstr) { text in
            unsafe text.withMemoryRebound(to: CChar.self, capacity: 128) { unsafe String(cString: $0) }
        }
    }
}

/// hiredis' own makers of reply objects, with bounds on arrays.
///
/// Without them a server that announces a billion elements gets gigabytes allocated before it sends one, and
/// one that nests a hundred thousand arrays overflows the stack.
private enum ReplyFactory {
    static let elementsMax = 1 << 20
    /// Copying and freeing recurse.
    ///
    /// hiredis 0.14 stops at 7 by itself, some of 1.x never.
    static let depthMax = 9
    static let refusal =
        "an array of more than \(elementsMax) elements or \(depthMax) levels, or no memory"

    private static let standard: redisReplyObjectFunctions = {
        guard let reader = unsafe redisReaderCreate() else { preconditionFailure("hiredis got no memory") }
        defer { unsafe redisReaderFree(reader) }
        return unsafe reader.pointee.fn.pointee
    }()

    /// Lives as long as the process.
    nonisolated(unsafe) static let bounded: UnsafeMutablePointer<redisReplyObjectFunctions> = {
        var functions = Self.standard
        unsafe functions.createArray = { task, count in
            guard count <= ReplyFactory.elementsMax else { return nil }
            var depth = 1
            var parent = unsafe task?.pointee.parent
            while let above = unsafe parent {
                depth += 1
                unsafe parent = above.pointee.parent
            }
            guard depth <= ReplyFactory.depthMax else { return nil }
            return unsafe ReplyFactory.standard.createArray(task, count)
        }
        let table = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
        unsafe table.initialize(to: functions)
        return unsafe table
    }()
}

extension RedisValue {
    /// Copies one reply; hiredis has bounded its depth.
    fileprivate init(_ reply: UnsafePointer<redisReply>) throws(RedisError) {
        let value = unsafe reply.pointee
        switch unsafe value.type {
        case REDIS_REPLY_STATUS: self = .status(unsafe Self.text(value))
        case REDIS_REPLY_ERROR: self = .error(unsafe Self.text(value))
        case REDIS_REPLY_INTEGER: self = .integer(unsafe value.integer)
        case REDIS_REPLY_NIL: self = .null
        case REDIS_REPLY_STRING:
            let bytes = unsafe UnsafeRawBufferPointer(start: value.str, count: value.len)
            self = .bulk(unsafe Array(bytes))
        case REDIS_REPLY_ARRAY:
            var elements: [RedisValue] = []
            unsafe elements.reserveCapacity(value.elements)
            for index in unsafe 0..<value.elements {
                guard let element = unsafe value.element[index] else {
                    throw .malformed("an array with a hole")
                }
                elements.append(try unsafe RedisValue(element))
            }
            self = .array(elements)
        default: throw .malformed("a reply of the unknown type \(unsafe value.type)")
        }
    }

    private static func text(_ value: redisReply) -> String {
        let bytes = unsafe UnsafeRawBufferPointer(start: value.str, count: value.len)
        return unsafe String(decoding: bytes, as: UTF8.self)
    }
}
