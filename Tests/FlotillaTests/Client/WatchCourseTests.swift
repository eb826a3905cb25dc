import Flotilla
import Testing

@Suite struct WatchCourseTests {
    @Test func `a broken stream goes on after the last event`() {
        var course = WatchCourse()
        #expect(course.last == nil)
        for line in ["id: 7-1", "event: begin", "data: {}", "", ": nothing new", "id: 8-2", "data: x"] {
            course.received(line)
        }
        #expect(course.last == "8-2")
        #expect(course.ended(.broken) == .again(after: .milliseconds(250)))
        #expect(course.last == "8-2")
    }

    @Test func `pauses grow to a bound, and begin anew when something came`() {
        var course = WatchCourse(after: "1-1")
        course.received("id: 1-2")
        var pauses: [Duration] = []
        for _ in 0..<8 {
            guard case .again(let pause) = course.ended(.unreachable) else { continue }
            pauses.append(pause)
        }
        #expect(pauses.prefix(3) == [.milliseconds(250), .milliseconds(500), .seconds(1)])
        #expect(pauses.count == 8 && pauses.last == .seconds(5))
        course.received(": nothing new")
        #expect(course.ended(.broken) == .again(after: .milliseconds(250)))
    }

    @Test func `a watch that never began says at once what is wrong`() {
        for end in [WatchCourse.End.unreachable, .refused(status: 503), .refused(status: 401)] {
            var course = WatchCourse()
            #expect(course.ended(end) == .giveUp)
        }
    }

    @Test func `later only a refusal that time does not mend ends it`() {
        var course = WatchCourse()
        course.received("id: 1-2")
        #expect(course.ended(.refused(status: 401)) == .giveUp)
        #expect(course.ended(.refused(status: 503)) != .giveUp)
        #expect(course.ended(.unreachable) != .giveUp)
    }
}
