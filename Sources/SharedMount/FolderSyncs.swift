import CLinux
import Foundation
import Synchronization

/// Syncs of folders that several calls share.
///
/// Files that are put into one folder at the same time each need the folder synced after their own rename. One `fsync` that
/// begins after a rename covers it, so whoever comes while one runs waits for the next, and shares that with all the
/// others: group commit. A sync that fails has failed for all who share it. Callers are threads that may block.
final class FolderSyncs: Sendable {
    /// One sync, and who shares it.
    private final class Round: Sendable {
        /// Nil until it has ended.
        let outcome = Mutex<Result<Void, SystemFailure>?>(nil)
    }

    private struct Course {
        var running: Round?
        /// Whoever comes now joins it.
        var next: Round?
    }

    private let courses = Mutex<[UInt64: Course]>([:])
    /// Signalled whenever a sync has ended.
    private let ended = NSCondition()

    /// Returns when a sync of the folder that began after this call has ended.
    ///
    /// - Parameter folder: of the mount's file system, so that its inode number stands for it.
    func sync(_ folder: Descriptor) throws(SystemFailure) {
        let inode = try folder.status().inode
        let round = self.courses.withLock { courses in
            let round = courses[inode]?.next ?? Round()
            courses[inode, default: Course()].next = round
            return round
        }
        while true {
            if let outcome = round.outcome.withLock({ $0 }) { return try outcome.get() }
            if self.leads(round, at: inode) {
                self.end(round, Result { () throws(SystemFailure) in try folder.sync() }, at: inode)
            } else {
                self.wait(for: round, at: inode)
            }
        }
    }

    /// Whether the caller is to perform the round: nobody joins it from now on.
    private func leads(_ round: Round, at inode: UInt64) -> Bool {
        self.courses.withLock { courses in
            guard let course = courses[inode], course.running == nil, course.next === round else {
                return false
            }
            courses[inode] = Course(running: round, next: nil)
            return true
        }
    }

    private func end(_ round: Round, _ outcome: Result<Void, SystemFailure>, at inode: UInt64) {
        round.outcome.withLock { $0 = outcome }
        self.courses.withLock { courses in
            courses[inode]?.running = nil
            if courses[inode]?.next == nil { courses[inode] = nil }
        }
        self.ended.withLock { self.ended.broadcast() }
    }

    private func wait(for round: Round, at inode: UInt64) {
        self.ended.withLock {
            // Whoever ends a sync says so under this lock, afterwards: a signal cannot fall in between.
            let isBusy = self.courses.withLock { $0[inode]?.running != nil }
            if isBusy && round.outcome.withLock({ $0 == nil }) { self.ended.wait() }
        }
    }
}
