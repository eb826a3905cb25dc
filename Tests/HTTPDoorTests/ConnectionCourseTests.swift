import HTTPDoor
import Testing

@Suite struct ConnectionCourseTests {
    @Test func `an answer after the whole body leaves the connection open`() {
        var course = ConnectionCourse(drainBytes: 10)
        #expect(course.headRead() == .forward)
        #expect(course.bodyRead(bytes: 100) == .forward)
        #expect(course.endRead() == .forward)
        #expect(course.answerBegins(asksToClose: false) == false)
        #expect(course.answerEnded() == .goOn)
        #expect(course.headRead() == .forward)
    }

    @Test func `an early answer says close and drains up to the bound`() {
        var course = ConnectionCourse(drainBytes: 10)
        _ = course.headRead()
        #expect(course.answerBegins(asksToClose: false) == true)
        #expect(course.answerEnded() == .drain)
        #expect(course.state == .draining(left: 10))
        #expect(course.bodyRead(bytes: 10) == .drop)
        #expect(course.bodyRead(bytes: 1) == .close)
        #expect(course.state == .closing)
        #expect(course.endRead() == .drop)
    }

    @Test func `the end of a drained body closes the connection`() {
        var course = ConnectionCourse(drainBytes: 10)
        _ = course.headRead()
        _ = course.answerBegins(asksToClose: false)
        _ = course.answerEnded()
        #expect(course.endRead() == .close)
    }

    @Test func `a body that ends while the early answer is written needs no draining`() {
        var course = ConnectionCourse(drainBytes: 10)
        _ = course.headRead()
        #expect(course.answerBegins(asksToClose: false) == true)
        #expect(course.endRead() == .forward)
        #expect(course.answerEnded() == .close)
    }

    @Test func `the answer to a pipelined request's predecessor is not an early one`() {
        var course = ConnectionCourse(drainBytes: 10)
        _ = course.headRead()
        _ = course.endRead()
        _ = course.headRead()
        #expect(course.answerBegins(asksToClose: false) == false)
        #expect(course.answerEnded() == .goOn)
        #expect(course.state == .open)
    }

    @Test func `a client that wants to close gets its wish after the last answer`() {
        var course = ConnectionCourse(drainBytes: 10)
        _ = course.headRead()
        _ = course.endRead()
        _ = course.headRead(asksToClose: true)
        _ = course.endRead()
        #expect(course.answerBegins(asksToClose: false) == false)
        #expect(course.answerEnded() == .goOn)
        #expect(course.answerBegins(asksToClose: false) == true)
        #expect(course.answerEnded() == .close)
    }

    @Test func `a cut body is told from a finished one`() {
        var course = ConnectionCourse(drainBytes: 10)
        #expect(course.inputEnded() == false)
        _ = course.headRead()
        #expect(course.inputEnded() == true)
        #expect(course.inputEnded() == false)
    }

    @Test func `a stop ends an idle connection at once, and another with its last answer`() {
        var idle = ConnectionCourse(drainBytes: 10)
        #expect(idle.stops() == .close)
        #expect(idle.state == .closing)
        #expect(idle.stops() == .goOn)

        var busy = ConnectionCourse(drainBytes: 10)
        for _ in 0..<2 {
            _ = busy.headRead()
            _ = busy.endRead()
        }
        // Begun before the stop, so it could not say that it is the last one.
        #expect(busy.answerBegins(asksToClose: false) == false)
        #expect(busy.stops() == .goOn)
        #expect(busy.answerEnded() == .goOn)
        #expect(busy.answerBegins(asksToClose: false) == true)
        #expect(busy.answerEnded() == .close)

        var begun = ConnectionCourse(drainBytes: 10)
        _ = begun.headRead()
        _ = begun.endRead()
        _ = begun.answerBegins(asksToClose: false)
        #expect(begun.stops() == .goOn)
        #expect(begun.answerEnded() == .close)
    }
}
