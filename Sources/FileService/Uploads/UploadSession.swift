import ClusterModel
import ClusterPorts
import NIOCore
import Synchronization

/// One request's bytes on their way into a segment: written as they come, synced and noted beside that.
final class UploadSession: Sendable {
    /// Why no more bytes were taken; nil when the body has ended.
    enum Ending: Sendable, Equatable {
        /// A newer request is there.
        case calledOff
        case clientGone(String)
        /// Another epoch: nothing may be written any more.
        case lost
        /// The database, the mount or the node cannot go on; what the file holds is not to be relied on.
        case failed(FileServiceError)
        case tooLong(length: Int64)
        /// What the client sent is not what it promised.
        case refused(FileServiceError)

        /// Whether an upload that is whole all the same is made visible.
        var keepsWhole: Bool {
            switch self {
            case .calledOff, .clientGone: true
            case .lost, .failed, .tooLong, .refused: false
            }
        }
    }

    private struct State: ~Copyable {
        /// Bytes of the upload that stand in the file, or are on their way there, without a gap from the segment's begin.
        var written: Int64
        var durable: Int64
        var asked: Int64
        var notedAt: ContinuousClock.Instant
        /// Received and not written yet, since then; bounded by ``UploadLimits/gatheredBytes`` and one read.
        var gathered: GatheredBytes
        var gatheredAt: ContinuousClock.Instant
        var isBroken = false
        var ending: Ending?
    }

    let remembered: RememberedUpload
    let transfer: OpenTransfer
    private let noted: @Sendable (Int64) -> Void
    private let file: any SegmentFile
    private let piece: UploadPiece
    private let limits: UploadLimits
    private let noter: UploadNoter
    private let budget: GatherBudget
    private let state: Mutex<State>
    private let digest: WrittenDigest
    private let writing = OneAtATime()
    private let wanted: AsyncStream<Void>
    private let want: AsyncStream<Void>.Continuation

    init(
        _ remembered: RememberedUpload, file: any SegmentFile, piece: UploadPiece, limits: UploadLimits,
        noter: UploadNoter, budget: GatherBudget, transfer: OpenTransfer,
        noted: @escaping @Sendable (Int64) -> Void
    ) {
        self.transfer = transfer
        self.noted = noted
        self.remembered = remembered
        self.file = file
        self.piece = piece
        self.limits = limits
        self.noter = noter
        self.budget = budget
        self.digest = WrittenDigest(remembered.digest)
        self.state = Mutex(
            State(
                written: remembered.durable, durable: remembered.durable, asked: remembered.durable,
                notedAt: .now, gathered: GatheredBytes(budget: budget), gatheredAt: .now))
        (self.wanted, self.want) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// More bytes than so many are never taken.
    var length: Int64? {
        self.remembered.upload.length ?? self.piece.length ?? self.remembered.upload.announced
    }
    /// The length that was foretold, where a body that was said to be the last one ended before.
    var missing: Int64? {
        guard self.piece.completes == true, self.remembered.upload.length == nil, let length = self.length
        else { return nil }
        return self.state.withLock { $0.written < length } ? length : nil
    }
    var ending: Ending? { self.state.withLock { $0.ending } }

    /// Asked again and again from outside: bytes that lie for long are written and noted although none come.
    func tick() {
        let isDue = self.state.withLock { state in
            (state.written > state.asked && ContinuousClock.now - state.notedAt >= self.limits.notedAfter)
                || (state.gathered.count > 0
                    && ContinuousClock.now - state.gatheredAt >= self.limits.notedAfter)
        }
        if isDue { self.want.yield() }
    }

    /// Takes the body until it ends, or must end.
    func receive<Body: AsyncSequence & Sendable>(
        _ body: Body, turn: UploadTurn, patience: StreamPatience, standing: any NodeStanding,
        room: RoomWatch? = nil
    ) async where Body.Element == ByteBuffer {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.take(body, patience, standing, room)
                self.want.finish()
            }
            group.addTask { await self.noteAlong() }
            group.addTask {
                await turn.isCalledOff()
                if !Task.isCancelled { self.end(.calledOff) }
            }
            // The body's end ends the notes; a loss, or a newer request, ends the body.
            _ = await group.next()
            if self.ending == nil { _ = await group.next() }
            group.cancelAll()
        }
    }

    private func end(_ ending: Ending) { self.state.withLock { $0.ending = $0.ending ?? ending } }

    private func take<Body: AsyncSequence & Sendable>(
        _ body: Body, _ patience: StreamPatience, _ standing: any NodeStanding, _ room: RoomWatch?
    ) async where Body.Element == ByteBuffer {
        var patience = patience
        var room = room
        var received = self.remembered.durable
        do {
            for try await bytes in body {
                if self.ending != nil { break }
                if let objection = patience.objection(standing.standing(), at: .now) {
                    self.end(.failed(objection))
                    break
                }
                received += Int64(bytes.readableBytes)
                self.transfer.add(Int64(bytes.readableBytes))
                if let length = self.length, received > length {
                    self.end(.tooLong(length: length))
                    break
                }
                if let objection = await room?.objection(total: received) {
                    self.end(.refused(objection))
                    break
                }
                if self.gather(bytes) { guard await self.writeGathered() else { return } }
            }
        } catch let error as FileServiceError {
            self.end(.refused(error))
        } catch {
            self.end(Task.isCancelled ? .calledOff : .clientGone("\(error)"))
        }
        if Task.isCancelled { self.end(.calledOff) }
        _ = await self.writeGathered()
    }

    /// Whether it is time to write them.
    private func gather(_ bytes: ByteBuffer) -> Bool {
        self.state.withLock { state in
            if state.gathered.count == 0 { state.gatheredAt = .now }
            state.gathered.add(bytes)
            return state.gathered.count >= min(self.limits.gatheredBytes, self.budget.piece)
                || ContinuousClock.now - state.gatheredAt >= self.limits.notedAfter
        }
    }

    /// Answers whether it went well; what is written then may still be on its way, which shows at the next call.
    private func writeGathered() async -> Bool {
        await self.writing.enter()
        defer { self.writing.leave() }
        let (pieces, place) = self.state.withLock { state in
            // What could not be written leaves a hole that nothing may be written behind.
            let pieces = state.gathered.take()
            return (state.isBroken ? [] : pieces, state.written)
        }
        guard !pieces.isEmpty else { return true }
        do throws(VaultError) {
            try await self.file.write(pieces, at: place) { [digest] in digest.add(pieces, at: place) }
        } catch {
            self.broke(error)
            return false
        }
        let isDue = self.state.withLock { state in
            state.gathered.accepted()
            state.written = pieces.reduce(place) { $0 + Int64($1.readableBytes) }
            return state.written - state.asked >= self.limits.notedBytes
        }
        if isDue { self.want.yield() }
        return true
    }

    private func broke(_ error: VaultError) {
        self.state.withLock { $0.isBroken = true }
        self.end(.failed(FileServiceError(error, at: self.remembered.upload.path ?? .home)))
    }

    // MARK: - Noting

    private func noteAlong() async {
        for await _ in self.wanted {
            guard !self.piece.isAtomic else { continue }
            guard await self.writeGathered() else { return }
            guard await self.makeDurable() else { return }
        }
    }

    /// Syncs and notes what is written by now; answers whether it is durable and this request may go on.
    private func makeDurable(isLast: Bool = false) async -> Bool {
        let target = self.state.withLock { state in
            state.asked = state.written
            state.notedAt = .now
            return state.written
        }
        let durable = self.state.withLock { $0.durable }
        let says = isLast ? self.saidLength : nil
        guard target > durable || says != nil else { return true }
        if target > durable {
            do throws(VaultError) { try await self.file.sync() } catch {
                self.broke(error)
                return false
            }
        }
        do throws(StoreError) {
            let note = UploadNote(
                title: self.remembered.title, durable: target, length: says)
            guard try await self.noter.note(note, by: self.remembered.right) == .noted else {
                self.end(.lost)
                return false
            }
        } catch {
            self.end(.failed(FileServiceError(error)))
            return false
        }
        self.state.withLock { $0.durable = max($0.durable, target) }
        if target > durable { self.noted(target) }
        return true
    }

    /// The length that becomes the upload's with the last note of this request.
    private var saidLength: Int64? {
        guard self.remembered.upload.length == nil else { return nil }
        switch self.piece.completes {
        case nil: return self.piece.length
        case false: return nil
        case true:
            // Only a body that came whole says that this was all.
            guard self.ending == nil, self.missing == nil else { return nil }
            return self.state.withLock { $0.written }
        }
    }

    /// After ``receive(_:turn:patience:standing:)``, where nothing is cancelled: notes the rest.
    ///
    /// Answers what is remembered of it; nil when its file is not to be used again.
    func settle() async -> RememberedUpload? {
        // The file is the next request's: nothing of this one may still be on its way into it.
        do throws(VaultError) { try await self.file.rest() } catch {
            self.broke(error)
            return nil
        }
        var isUsable = true
        switch self.ending {
        case .failed, .lost: isUsable = false
        case nil: isUsable = await self.makeDurable(isLast: true)
        case .calledOff, .clientGone, .tooLong, .refused:
            if self.piece.isAtomic {
                // Nothing of it counts: what comes next is written over it.
                return self.remembered
            }
            isUsable = await self.makeDurable(isLast: true)
        }
        guard isUsable else { return nil }
        var left = self.remembered
        let durable = self.state.withLock { $0.durable }
        left.durable = durable
        left.digest = self.digest.now
        left.upload.durable = durable
        left.upload.length = self.remembered.upload.length ?? self.saidLength
        left.upload.announced = self.remembered.upload.announced ?? self.piece.length
        return left
    }
}
