import ClusterModel
import ClusterPorts
import FileService
import Foundation
import Testing

struct UploadRulesTests {
    private static let account = AccountID(UUID())

    private func upload(_ change: (inout Upload) throws -> Void = { _ in }) throws -> Upload {
        let day = Date(timeIntervalSince1970: 0)
        var upload = Upload(
            id: UploadID(UUID()), account: Self.account, accountName: try Samples.operation().accountName,
            dialect: .tus, path: try Samples.path("a"), length: 10, durable: 4, createdAt: day,
            changedAt: day, expiresAt: day)
        try change(&upload)
        return upload
    }

    private func objection(_ offset: Int64, _ length: Int64? = nil, to upload: Upload) -> UploadError? {
        var piece = UploadPiece(offset: offset)
        piece.length = length
        return UploadRules.objection(to: piece, of: upload, by: Self.account)
    }

    @Test func `a piece fits at the durable offset, and with the length that was said`() throws {
        let open = try self.upload()
        #expect(self.objection(4, to: open) == nil && self.objection(4, 10, to: open) == nil)
        #expect(self.objection(3, to: open) == .wrongOffset(durable: 4))
        #expect(self.objection(5, to: open) == .wrongOffset(durable: 4))
        #expect(self.objection(4, 11, to: open) == .wrongLength(10))
        let unknown = try self.upload { $0.length = nil }
        #expect(self.objection(4, 4, to: unknown) == nil)
        #expect(self.objection(4, 3, to: unknown) == .wrongLength(nil))
        #expect(UploadRules.objection(toSeeing: open, by: AccountID(UUID())) == .notFound)
    }

    @Test func `what has ended takes no piece, but says so to whoever asks once more`() throws {
        let aborted = try self.upload { $0.status = .aborted }
        let failed = try self.upload {
            $0.status = .finished
            $0.reason = "in the way"
        }
        let finished = try self.upload {
            $0.status = .finished
            $0.durable = 10
        }
        #expect(self.objection(4, to: aborted) == .ended(reason: "it was aborted"))
        #expect(self.objection(4, to: failed) == .ended(reason: "in the way"))
        #expect(self.objection(10, to: finished) == nil)
        #expect(self.objection(4, to: finished) == .wrongOffset(durable: 10))
    }

    @Test func `an offset is told only when nobody writes behind it`() throws {
        let (own, other) = (try Samples.incarnation(1), try Samples.incarnation(2))
        let epoch = try #require(Epoch(rawValue: 7))
        let ours = try self.upload {
            $0.epoch = epoch
            $0.incarnation = own
        }
        var theirs = ours
        theirs.incarnation = other
        #expect(try !UploadRules.mustFreeze(self.upload(), at: own, isInterrupted: false))
        #expect(!UploadRules.mustFreeze(ours, at: own, isInterrupted: true))
        #expect(UploadRules.mustFreeze(ours, at: own, isInterrupted: false))
        #expect(UploadRules.mustFreeze(theirs, at: own, isInterrupted: true))
        theirs.status = .aborted
        #expect(!UploadRules.mustFreeze(theirs, at: own, isInterrupted: true))
    }

    @Test func `a title is outdated by a newer epoch only`() throws {
        let title = UploadTitle(upload: UploadID(UUID()), epoch: try #require(Epoch(rawValue: 7)))
        for (epoch, isOutdated) in [(Int64(6), false), (7, false), (8, true)] {
            let row = try self.upload {
                $0.epoch = Epoch(rawValue: epoch)
                $0.incarnation = try Samples.incarnation(1)
            }
            #expect(UploadRules.isOutdated(title, by: row) == isOutdated)
        }
        #expect(try !UploadRules.isOutdated(title, by: self.upload()))
    }

    private func segment(_ number: Int, _ range: Range<Int64>) throws -> UploadSegment {
        let right = try Samples.right()
        return UploadSegment(
            number: number, epoch: try #require(Epoch(rawValue: Int64(number) + 1)),
            incarnation: right.incarnation, node: right.name, file: ".\(number)", begin: range.lowerBound,
            end: range.upperBound, client: "10.0.0.1", begunAt: Date(timeIntervalSince1970: 0))
    }

    @Test func `a taker's file lacks what stands in the segments before, and a gap is found`() throws {
        let segments = [
            try self.segment(2, 7..<7), try self.segment(0, 0..<3), try self.segment(1, 3..<7),
            try self.segment(3, 7..<9),
        ]
        func missing(_ begin: Int64) -> [Range<Int64>]? {
            UploadRules.missing(before: begin, in: segments)?.map { $0.1 }
        }
        #expect(missing(0) == [])
        #expect(missing(7) == [0..<3, 3..<7])
        #expect(missing(9) == [0..<3, 3..<7, 7..<9])
        // Of a segment only as much as lies before.
        #expect(missing(5) == [0..<3, 3..<5])
        #expect(missing(10) == nil)
        #expect(UploadRules.missing(before: 3, in: Array(segments.suffix(1))) == nil)
    }

    @Test func `notes share a statement by right, each upload once, and none is lost`() throws {
        var queue = NoteQueue<Int>(batch: 3)
        let ids = (0..<4).map { _ in UploadID(UUID()) }
        let epoch = try #require(Epoch(rawValue: 1))
        let asked: [(upload: Int, right: Int64)] = [(0, 1), (1, 1), (0, 1), (2, 2), (2, 1), (3, 1)]
        for (place, ask) in asked.enumerated() {
            let title = UploadTitle(upload: ids[ask.upload], epoch: epoch)
            let note = UploadNote(title: title, durable: Int64(place))
            queue.add(.init(note: note, right: try Samples.right(ask.right), waiter: place))
        }
        #expect(queue.next().map(\.waiter) == [0, 1, 4])
        #expect(queue.next().map(\.waiter) == [2, 5])
        #expect(queue.next().map(\.waiter) == [3])
        #expect(queue.next().isEmpty && queue.isEmpty)
    }
}
