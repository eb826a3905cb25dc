import ClusterModel
import ClusterPorts
import FileService
import Foundation
import Testing

struct CompositionRulesTests {
    private static let account = AccountID(UUID())

    private func part(
        _ length: Int64, _ durable: Int64? = nil, _ change: (inout Upload) -> Void = { _ in }
    ) throws -> Upload {
        let day = Date(timeIntervalSince1970: 0)
        var upload = Upload(
            id: UploadID(UUID()), account: Self.account, accountName: try Samples.operation().accountName,
            dialect: .tus, part: .partial, path: nil, length: length, durable: durable ?? length,
            createdAt: day, changedAt: day, expiresAt: day)
        change(&upload)
        return upload
    }

    private func segment(_ number: Int, _ begin: Int64, _ end: Int64) throws -> UploadSegment {
        UploadSegment(
            number: number, epoch: try #require(Epoch(rawValue: Int64(number + 1))),
            incarnation: try Samples.incarnation(1), node: try #require(NodeName("one")),
            file: "file-\(number)", begin: begin, end: end, client: "", begunAt: Date())
    }

    @Test func `parts stand one behind the other, each from the segments that hold it`() throws {
        let first = (try self.part(5), [try self.segment(0, 0, 5)])
        let empty = (try self.part(0), [UploadSegment]())
        let second = (try self.part(7), [try self.segment(1, 0, 4), try self.segment(2, 4, 7)])
        let pieces = try #require(CompositionRules.pieces(of: [first, empty, second]))
        #expect(pieces.map(\.file.file) == ["file-0", "file-1", "file-2"])
        #expect(pieces.map(\.range) == [0..<5, 0..<4, 4..<7])
        #expect(pieces.map(\.place) == [0, 5, 9])
        let gap = (try self.part(7), [try self.segment(1, 0, 4), try self.segment(2, 5, 7)])
        #expect(CompositionRules.pieces(of: [first, gap]) == nil)
        let steps = CompositionRules.steps(of: pieces[2], by: 2)
        #expect(steps.map(\.range) == [4..<6, 6..<7] && steps.map(\.place) == [9, 11])
    }

    @Test func `why an upload cannot be a part`() throws {
        func fault(_ part: Upload?) -> PartFault? { CompositionRules.fault(of: part, by: Self.account) }
        #expect(fault(try self.part(5)) == nil && fault(nil) == .unknown)
        #expect(fault(try self.part(5) { $0.account = AccountID(UUID()) }) == .unknown)
        #expect(fault(try self.part(5) { $0.part = .whole }) == .notPartial)
        #expect(fault(try self.part(5, 4)) == .unfinished(durable: 4, length: 5))
        #expect(fault(try self.part(5) { $0.status = .aborted }) == .ended(reason: "it was aborted"))
        let other = UploadID(UUID())
        #expect(fault(try self.part(5) { $0.partOf = other }) == .given(other))
    }

    @Test func `the same request again means the same upload`() throws {
        let final = UploadID(UUID())
        let parts = [try self.part(1) { $0.partOf = final }, try self.part(2) { $0.partOf = final }]
        #expect(CompositionRules.earlier(parts) == final)
        #expect(CompositionRules.earlier([parts[0], nil]) == nil && CompositionRules.earlier([]) == nil)
        #expect(CompositionRules.earlier([parts[0], try self.part(1)]) == nil)
        var request = UploadRequest(path: try Samples.path("a"), dialect: .tus, length: nil)
        request.parts = parts.map(\.id)
        let made = try self.part(3) {
            $0.path = request.path
            $0.part = .whole
            $0.parts = request.parts
        }
        #expect(CompositionRules.isSame(made, as: request, by: Self.account))
        request.parts.reverse()
        #expect(!CompositionRules.isSame(made, as: request, by: Self.account))
    }

    @Test func `a transfer is as fast as it was in the last few seconds`() {
        let begin = ContinuousClock.now
        var pace = TransferPace(began: begin)
        #expect(pace.rate(500, at: begin + .seconds(1)) == 500)
        for second in 1...10 { pace.mark(Int64(second * 100), at: begin + .seconds(second)) }
        #expect(pace.rate(1_000, at: begin + .seconds(10)) == 100)
        // It stands still.
        for second in 11...20 { pace.mark(1_000, at: begin + .seconds(second)) }
        #expect(pace.rate(1_000, at: begin + .seconds(20)) == 0)
        #expect(TransferPace(began: begin).rate(9, at: begin) == 0)
    }
}
