import PostgresDriver
import Testing

struct ExclusiveCourseTests {
    private typealias Load = ExclusiveCourse.Load

    @Test func `nothing is sent between a cancellation and its end`() {
        var course = ExclusiveCourse(limit: 2)
        #expect(course.given(.statement, load: Load(inFlight: 1, live: 1)) == .send)
        #expect(course.allGivenUp() == .cancel)
        #expect(course.given(.statement, load: Load(inFlight: 1)) == .wait)
        #expect(course.given(.work, load: Load(inFlight: 1, waiting: 2)) == .refuse(.queueFull))
        #expect(course.answered(isIdle: true) == .none)
        #expect(course.use == .settling(isCancelOver: false, isAnswered: true))
        #expect(course.given(.statement, load: Load(waiting: 1)) == .wait)
        #expect(course.cancelEnded() == .goOn)
        #expect(course.use == .shared)
    }

    @Test func `a cancellation that came before its statement is sent again`() {
        var course = ExclusiveCourse(limit: 2)
        #expect(course.allGivenUp() == .cancel)
        #expect(course.allGivenUp() == .none)
        #expect(course.cancelEnded() == .cancelAgainSoon)
        #expect(course.cancelIsDueAgain() == .cancel)
        #expect(course.cancelIsDueAgain() == .none)
        #expect(course.answered(isIdle: false) == .none)
        #expect(course.cancelEnded() == .cancelAgainSoon)
        #expect(course.answered(isIdle: true) == .goOn)
        #expect(course.cancelIsDueAgain() == .none)
    }

    @Test func `what needs the connection for itself is refused while somebody waits for an answer`() {
        let course = ExclusiveCourse(limit: 2)
        guard case .refuse(.invalid) = course.given(.work, load: Load(inFlight: 1, live: 1)),
            case .refuse(.invalid) = course.given(.script, load: Load(inFlight: 1, live: 1)),
            case .refuse(.invalid) = course.given(
                .statement, load: Load(inFlight: 1, live: 1, isScriptRunning: true))
        else {
            Issue.record("not refused")
            return
        }
        // The driver's own statements are waited for.
        #expect(course.given(.work, load: Load(inFlight: 1)) == .wait)
        #expect(course.given(.work, load: Load()) == .send)
        #expect(course.given(.statement, load: Load(inFlight: 2, live: 2)) == .refuse(.queueFull))
    }

    @Test func `a work has the connection until the server is done with it`() {
        var course = ExclusiveCourse(limit: 2)
        course.lent()
        guard case .refuse(.invalid) = course.given(.statement, load: Load()) else {
            Issue.record("not refused")
            return
        }
        #expect(course.answered(isIdle: true) == .goOn)
        course.lent()
        course.givenUpWithoutCancel()
        #expect(course.given(.statement, load: Load()) == .wait)
        #expect(course.answered(isIdle: true) == .goOn)
        #expect(course.use == .shared)
    }
}
