import NIOCore

/// How far one connection is: what its handlers tell each other, on the connection's thread only.
final class ConnectionProgress {
    /// Requests that the parser saw and whose answer has not ended.
    var unanswered = 0
    /// The body of the last of them is not whole.
    var isBodyOpen = false
    /// When the last part of a request came in, or more of it was asked for.
    var heard = NIODeadline.now()
    /// When the connection was opened, or the last answer ended.
    var answered = NIODeadline.now()
    /// A request was answered.
    var hasAnswered = false
    /// It is above the limit of connections.
    var isSurplus = false
    /// No further request is answered on it.
    var isOver = false

    /// Bytes of bodies that the parser gave out.
    private var bodyBytes = 0
    /// The last thing that the parser gave out of the last bytes was the end of a request.
    private var isAtEnd = false
    private var isAtBoundary = true

    /// What comes next is the beginning of a request, and nothing else is in hand.
    var isClear: Bool { self.isAtBoundary && self.unanswered == 0 && !self.isSurplus && !self.isOver }

    func headRead() {
        self.unanswered += 1
        self.isBodyOpen = true
        self.isAtEnd = false
        self.heard = .now()
    }

    func bodyRead(bytes: Int) {
        self.bodyBytes += bytes
        self.isAtEnd = false
        self.heard = .now()
    }

    func endRead() {
        self.isBodyOpen = false
        self.isAtEnd = true
    }

    func answerEnded() {
        self.unanswered -= 1
        self.answeredOnTheSpot()
    }

    func answeredOnTheSpot() {
        self.answered = .now()
        self.hasAnswered = true
    }

    /// Gives bytes to the parser by `feed`, and notes whether it has taken them to the end of a request.
    ///
    /// The parser does not say how many bytes it keeps of a request that is not whole. It surely keeps none when the
    /// last that it gave out of these bytes was an end, and either all was body, or an empty line is the last that it got:
    /// a head that has come to its empty line would have been given out. A parser that has stopped gives nothing out.
    func feeding(_ bytes: ByteBuffer, _ feed: () -> Void) {
        let before = self.bodyBytes
        self.isAtEnd = false
        feed()
        self.isAtBoundary =
            self.isAtEnd
            && (self.bodyBytes - before == bytes.readableBytes
                || bytes.endsWithEmptyLine && !bytes.mayBeginAnotherProtocol)
    }
}

extension ByteBuffer {
    /// The parser reads on behind the empty line of `PRI`, with which clients of HTTP/2 begin (RFC 9113, 3.4).
    fileprivate var mayBeginAnotherProtocol: Bool {
        var rest = self.readableBytesView[...]
        while let place = rest.firstIndex(of: UInt8(ascii: "P")) {
            rest = rest[place...]
            if rest.starts(with: "PRI ".utf8) { return true }
            rest = rest.dropFirst()
        }
        return false
    }

    fileprivate var endsWithEmptyLine: Bool {
        self.getInteger(at: self.writerIndex - 4, as: UInt32.self) == 0x0D0A_0D0A
            && self.readableBytes >= 4
    }
}
