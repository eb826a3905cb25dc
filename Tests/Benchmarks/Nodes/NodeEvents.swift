import ClusterModel
import Foundation
import Glibc

/// What a node tells of itself: one line an event on standard output.
///
/// The moment comes first, in nanoseconds of CLOCK_MONOTONIC, which all processes of a machine have in common; then
///
/// - `joined INCARNATION`: it is a member now
/// - `left INCARNATION`: it is not any more: it was declared dead, or stops
/// - `granted SUBJECT EPOCH`, `lost SUBJECT EPOCH`: a lease that it claimed, or knows to be somebody else's now
/// - `committed SUBJECT EPOCH accepted|refused|unknown`: what the database said to an end of that lease
enum NodeEvents {
    static func joined(_ incarnation: Incarnation) { self.say("joined \(incarnation)") }
    static func left(_ incarnation: Incarnation) { self.say("left \(incarnation)") }
    static func granted(_ title: LeaseTitle) { self.say("granted \(title.subject) \(title.epoch)") }
    static func lost(_ title: LeaseTitle) { self.say("lost \(title.subject) \(title.epoch)") }

    static func committed(_ title: LeaseTitle, _ verdict: String) {
        self.say("committed \(title.subject) \(title.epoch) \(verdict)")
    }

    /// At once and in one write, whatever standard output is.
    private static func say(_ text: String) {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let nanoseconds = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        FileHandle.standardOutput.write(Data("\(nanoseconds) \(text)\n".utf8))
    }
}
