package import ClusterModel
package import ClusterPorts
package import Logging
package import NIOCore
import ServiceLifecycle
import Synchronization

/// Resumable uploads, whatever dialect their clients speak (docs/UPLOADS.md).
///
/// Needs ``run()`` beside ``FileService/run()``; without it every piece fails with
/// ``FileServiceError/notServing(reason:retryAfterSeconds:)``.
package final class UploadService: Service {
    let files: FileService
    let area: any SegmentArea
    let store: any UploadStore
    let names: any UploadNames
    let limits: UploadLimits
    let logger: Logger
    let memory: UploadMemory
    let noter: UploadNoter
    var gathering: GatherBudget { self.files.gathering }
    private let receiving = Mutex(Receiving())

    /// Whether this node stops: what is received or put together is cut off.
    var isEnding: Bool { self.receiving.withLock { $0.isEnding } }

    /// What is being received now.
    private struct Receiving {
        var sessions: [ObjectIdentifier: (session: UploadSession, turn: UploadTurn)] = [:]
        var isEnding = false
    }

    /// How often the end of the last session is looked for at the stop.
    private static let pause: Duration = .milliseconds(5)

    package init(
        files: FileService, area: any SegmentArea, store: any UploadStore, names: any UploadNames,
        limits: UploadLimits, logger: Logger
    ) {
        self.files = files
        self.area = area
        self.store = store
        self.names = names
        self.limits = limits
        self.logger = logger
        self.memory = UploadMemory(limit: limits.remembered, patience: limits.turnPatience)
        self.noter = UploadNoter(store: store, batch: limits.noteBatch, attempts: limits.noteAttempts)
    }

    /// Ends on graceful shutdown: what is received then is cut off, made durable and noted, so that its client goes on
    /// elsewhere where it stopped.
    ///
    /// To be stopped before ``FileService/run()``, and before the node leaves.
    package func run() async throws {
        await withTaskGroup { group in
            group.addTask { await self.noter.run() }
            group.addTask { await self.tick() }
            try? await gracefulShutdown()
            await self.endSessions()
            group.cancelAll()
        }
    }

    private func endSessions() async {
        self.receiving.withLock { receiving in
            receiving.isEnding = true
            for entry in receiving.sessions.values { entry.turn.end() }
        }
        let until = ContinuousClock.now + self.limits.turnPatience
        while !Task.isCancelled, ContinuousClock.now < until,
            self.receiving.withLock({ !$0.sessions.isEmpty })
        {
            try? await Task.sleep(for: Self.pause)
        }
    }

    /// Whether ``run()`` runs.
    package var isRunning: Bool { self.noter.isOpen }

    /// Uploads that are remembered between requests.
    package var rememberedCount: Int { self.memory.count }

    private func tick() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: self.limits.notedAfter / 3) } catch { return }
            for session in self.receiving.withLock({ $0.sessions.values.map(\.session) }) { session.tick() }
        }
    }

    // MARK: - What clients ask

    /// Begins an upload; one of no bytes is whole at once, and one of parts is put together.
    package func create(_ request: UploadRequest, by caller: Caller) async throws(UploadError)
        -> UploadProgress
    {
        let right = try self.right()
        let id = UploadID(.next())
        if let path = request.path { try await self.check(path, request, by: caller, for: id) }
        var new = NewUpload(
            id: id, account: caller.account.id, accountName: caller.account.name,
            dialect: request.dialect, part: request.path == nil ? .partial : .whole, path: request.path,
            length: request.length, metadata: request.metadata, replaces: request.replaces,
            makesParents: request.makesParents, kept: self.limits.kept)
        new.announced = request.announced
        new.expectedDigest = request.expectedDigest
        new.parts = request.parts
        let wanted = new
        guard request.parts.isEmpty else {
            return try await self.compose(request, wanted, by: caller, right)
        }
        let answer = try await self.asking { () async throws(StoreError) in
            try await self.store.create(wanted, by: right)
        }
        switch answer {
        case .done(let upload) where upload.isWhole:
            return try await self.status(upload.id, by: caller)
        case .done(let upload): return UploadProgress(upload: upload)
        case .refused, .notFound, .fenced: throw .file(Self.dead)
        }
    }

    /// Looks whether a file could be made there now.
    private func check(
        _ path: HomePath, _ request: UploadRequest, by caller: Caller, for upload: UploadID
    ) async throws(UploadError) {
        guard !path.isHome else { throw .file(.isHome) }
        var options = PutOptions()
        options.replaces = request.replaces
        options.makesParents = request.makesParents
        do throws(FileServiceError) {
            let found = try await self.files.place(path, in: caller.account.name, options: options)
            var room = await self.files.room(for: found, by: caller, upload: upload)
            if let objection = await room?.objection(total: request.length ?? 0) { throw objection }
        } catch {
            throw .file(error)
        }
    }

    /// How far an upload is; the next piece at that offset is accepted.
    ///
    /// Ends the request that still sends, here or elsewhere. A whole one is made visible first.
    package func status(_ id: UploadID, by caller: Caller) async throws(UploadError) -> UploadProgress {
        let right = try self.right()
        // Others' requests are not called off.
        let seen = try await self.read(id, by: caller)
        if seen.status == .open {
            if seen.isComposed { return try await self.composed(seen, by: caller, right) }
            if seen.isWorkedOn { throw .working }
        }
        let (turn, remembered, isLate) = await self.memory.enter(id)
        var left = remembered
        defer { self.memory.leave(turn, remembering: left) }
        var upload = try await self.read(id, by: caller)
        if upload.status == .open, upload.isWhole, upload.path != nil {
            if upload.isWorkedOn { throw .working }
            return try await self.complete(upload, remembered, by: caller, right, &left)
        }
        // Who ended in time and left nothing may have a note on its way.
        let isInterrupted = !isLate && remembered != nil
        if UploadRules.mustFreeze(upload, at: right.incarnation, isInterrupted: isInterrupted) {
            left = nil
            let frozen = try await self.asking { () async throws(StoreError) in
                try await self.store.freeze(id, by: right)
            }
            switch frozen {
            case .done(let now), .refused(let now): upload = now
            case .notFound: throw .notFound
            case .fenced: throw .file(Self.dead)
            }
        }
        if upload.status == .decided {
            let isSettled = try await self.asking { () async throws(StoreError) in
                try await self.store.settle(id)
            }
            if isSettled { upload = try await self.read(id, by: caller) }
            // Whoever put it together may have died before.
            if upload.isComposed { await self.consumeParts(of: id) }
        }
        return UploadProgress(upload: upload)
    }

    /// Goes on with an upload; what was noted when this throws stays.
    ///
    /// - Parameter noted: Hears how far it is durable by now, each time that more is.
    package func append<Body: AsyncSequence & Sendable>(
        _ piece: UploadPiece, to id: UploadID, by caller: Caller, body: Body,
        noted: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws(UploadError) -> UploadProgress where Body.Element == ByteBuffer {
        let right = try self.right()
        guard self.isRunning, self.receiving.withLock({ !$0.isEnding }) else {
            throw .file(.notServing(reason: "this node is stopping", retryAfterSeconds: 1))
        }
        do throws(FileServiceError) { try self.files.uploads.enter() } catch { throw .file(error) }
        defer { self.files.uploads.leave() }
        // Others' requests are not called off.
        let upload = try await self.read(id, by: caller)
        if upload.status != .open || upload.isWorkedOn || upload.isComposed,
            let objection = UploadRules.objection(to: piece, of: upload, by: caller.account.id)
        {
            throw objection
        }
        let piece = try await self.announced(piece, of: upload)
        let entered = await self.memory.enter(id)
        let turn = entered.turn
        // Another node took it, or told its offset: it goes on at the same offset by a new epoch.
        let remembered = entered.remembered.flatMap {
            UploadRules.isOutdated($0.title, by: upload) ? nil : $0
        }
        var left: RememberedUpload?
        defer { self.memory.leave(turn, remembering: left) }
        let opened: OpenSession?
        do throws(UploadError) {
            opened = try await self.session(piece, id, remembered, by: caller, right, noted)
        } catch {
            // What the client asked wrongly costs it nothing.
            switch error {
            case .wrongOffset, .wrongLength: left = remembered
            case .notFound, .ended, .tooLong, .taken, .working, .composed, .unfit, .file: break
            }
            throw error
        }
        guard let session = opened else {
            // Nothing more is to come.
            return UploadProgress(upload: try await self.read(id, by: caller))
        }
        let key = ObjectIdentifier(session.value)
        self.receiving.withLock { receiving in
            receiving.sessions[key] = (session.value, turn)
            if receiving.isEnding { turn.end() }
        }
        defer {
            _ = self.receiving.withLock { $0.sessions.removeValue(forKey: key) }
            session.value.transfer.vanish()
        }
        let patience = StreamPatience(
            incarnation: right.incarnation, longest: self.files.limits.isolationPatience)
        let room = await self.files.room(
            for: session.value.remembered.upload.path, by: caller, of: id)
        await session.value.receive(
            body, turn: turn, patience: patience, standing: self.files.standing, room: room)
        return try await self.ended(session.value, session.file, by: caller, right, &left)
    }

    /// Nobody may go on with it; its files go.
    package func abort(_ id: UploadID, by caller: Caller, reason: String) async throws(UploadError) {
        _ = try self.right()
        let upload = try await self.read(id, by: caller)
        guard upload.status == .open || upload.status == .aborted else {
            throw .ended(
                reason: "it is whole, and \(upload.path.map(\.description) ?? "its file") is its own by now")
        }
        try await self.abort(id, reason: reason)
        let (turn, _, _) = await self.memory.enter(id)
        self.memory.leave(turn, remembering: nil)
    }

    /// The same for people who may end anybody's; needs no right to change, since it only takes rights away.
    ///
    /// A request that still sends at another node ends with its next note.
    package func abort(_ id: UploadID, asOrdered reason: String) async throws(UploadError) {
        let found = try await self.asking { () async throws(StoreError) in try await self.store.upload(id) }
        guard let upload = found?.0 else { throw .notFound }
        guard upload.status == .open || upload.status == .aborted else {
            throw .ended(reason: "the upload is \(upload.status.rawValue)")
        }
        try await self.abort(id, reason: reason)
        let (turn, _, _) = await self.memory.enter(id)
        self.memory.leave(turn, remembering: nil)
    }

    // MARK: - Parts

    static let dead = FileServiceError.notServing(
        reason: "this node was taken for dead", retryAfterSeconds: 1)

    func right() throws(UploadError) -> NodeRight {
        do throws(FileServiceError) { return try self.files.rightToChange() } catch { throw .file(error) }
    }

    func asking<Value>(_ call: () async throws(StoreError) -> Value) async throws(UploadError) -> Value {
        do { return try await call() } catch { throw .file(FileServiceError(error)) }
    }

    /// The length that is meant by a piece; one that was never said before is kept.
    private func announced(
        _ piece: UploadPiece, of upload: Upload
    ) async throws(UploadError) -> UploadPiece {
        var piece = piece
        guard let said = piece.length else {
            // Where the length alone tells the end, a foretold one is the length.
            if upload.length == nil { piece.length = upload.announced }
            return piece
        }
        guard piece.completes != nil, upload.length == nil, upload.announced == nil,
            upload.status == .open, said >= upload.durable, piece.offset == upload.durable
        else { return piece }
        let known = try await self.asking { () async throws(StoreError) in
            try await self.store.announce(upload.id, length: said)
        }
        if let known, known != said { throw .wrongLength(known) }
        return piece
    }

    func read(_ id: UploadID, by caller: Caller) async throws(UploadError) -> Upload {
        let found = try await self.asking { () async throws(StoreError) in try await self.store.upload(id) }
        guard let found, UploadRules.objection(toSeeing: found.0, by: caller.account.id) == nil else {
            throw .notFound
        }
        return found.0
    }

    /// Ends an upload for whoever may order it.
    func abort(_ id: UploadID, reason: String) async throws(UploadError) {
        let found = try await self.asking { () async throws(StoreError) in
            try await self.store.abort(id, reason: reason)
        }
        guard let found else { throw .notFound }
        guard found.status == .aborted else { throw .ended(reason: "it became whole meanwhile") }
        let segments = try await self.asking { () async throws(StoreError) in
            try await self.store.upload(id)?.1
        }
        await self.discard(segments ?? [])
    }

    func discard(_ segments: [UploadSegment]) async {
        for segment in segments {
            await self.files.discard(StagedName(incarnation: segment.incarnation, file: segment.file))
        }
    }
}
