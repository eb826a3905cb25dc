import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import NIOCore
import PostgresDriver
import PostgresStore

/// Uploads' rows whose node can die, and whose replies can be lost.
struct GatedUploads: UploadStore, UploadNames {
    let inner: PostgresStore
    let gate: Gate
    var wrapped: @Sendable (any NameStore) -> any NameStore = { $0 }

    func create(_ upload: NewUpload, by right: NodeRight) async throws(StoreError) -> UploadAnswer {
        try self.gate.passStore()
        return try await self.inner.create(upload, by: right)
    }
    func take(_ taking: UploadTaking, by right: NodeRight) async throws(StoreError) -> UploadAnswer {
        try self.gate.passStore(.beforeTake)
        let answer = try await self.inner.take(taking, by: right)
        if self.gate.stops(.afterTake) { throw .mayHaveRun("the reply was lost") }
        return answer
    }
    func freeze(_ upload: UploadID, by right: NodeRight) async throws(StoreError) -> UploadAnswer {
        try self.gate.passStore()
        return try await self.inner.freeze(upload, by: right)
    }
    func note(_ notes: [UploadNote], by right: NodeRight) async throws(StoreError) -> [UploadNoteAnswer] {
        try self.gate.passStore(.beforeNote)
        let answers = try await self.inner.note(notes, by: right)
        if self.gate.stops(.afterNote) { throw .mayHaveRun("the reply was lost") }
        return answers
    }
    func abort(_ upload: UploadID, reason: String) async throws(StoreError) -> Upload? {
        try self.gate.passStore()
        return try await self.inner.abort(upload, reason: reason)
    }
    func upload(_ id: UploadID) async throws(StoreError) -> (Upload, [UploadSegment])? {
        try self.gate.passStore()
        return try await self.inner.upload(id)
    }
    func uploads(_ query: UploadQuery) async throws(StoreError) -> [(Upload, UploadSegment?)] {
        try await self.inner.uploads(query)
    }
    func compose(_ upload: NewUpload, by right: NodeRight) async throws(StoreError) -> Upload? {
        try self.gate.passStore()
        return try await self.inner.compose(upload, by: right)
    }
    func work(_ title: UploadTitle, isOn: Bool, by right: NodeRight) async throws(StoreError) -> Bool {
        try self.gate.passStore()
        return try await self.inner.work(title, isOn: isOn, by: right)
    }
    func announce(_ upload: UploadID, length: Int64) async throws(StoreError) -> Int64? {
        try self.gate.passStore()
        return try await self.inner.announce(upload, length: length)
    }
    func consumeParts(of upload: UploadID) async throws(StoreError) -> [UploadID] {
        try self.gate.passStore(.beforeConsume)
        return try await self.inner.consumeParts(of: upload)
    }
    func settle(_ upload: UploadID) async throws(StoreError) -> Bool {
        try self.gate.passStore()
        return try await self.inner.settle(upload)
    }
    func names(finishing title: UploadTitle) -> any NameStore {
        GatedNames(inner: self.wrapped(self.inner.names(finishing: title)), gate: self.gate)
    }
}

/// Where segments are made by a node that can die.
struct GatedSegments: SegmentArea {
    let inner: any SegmentArea
    let gate: Gate

    func makeSegment(
        _ upload: UploadID, for incarnation: Incarnation
    ) async throws(VaultError) -> any SegmentFile {
        try self.gate.passVault(.beforeStage)
        return GatedSegment(
            inner: try await self.inner.makeSegment(upload, for: incarnation), gate: self.gate)
    }
    func openSegment(_ name: StagedName) async throws(VaultError) -> any SegmentFile {
        try self.gate.passVault()
        return GatedSegment(inner: try await self.inner.openSegment(name), gate: self.gate)
    }
}

struct GatedSegment: SegmentFile {
    let inner: any SegmentFile
    let gate: Gate

    var name: StagedName { self.inner.name }
    func write(
        _ pieces: [ByteBuffer], at offset: Int64, along: @escaping @Sendable () -> Void
    ) async throws(VaultError) {
        try self.gate.passVault(.beforeAppend)
        try await self.inner.write(pieces, at: offset, along: along)
    }
    func rest() async throws(VaultError) { try await self.inner.rest() }
    func read(from offset: Int64, count: Int) async throws(VaultError) -> ByteBuffer {
        try self.gate.passVault()
        return try await self.inner.read(from: offset, count: count)
    }
    func copy(_ range: Range<Int64>, from other: StagedName, to place: Int64) async throws(VaultError) {
        try self.gate.passVault(.beforeCopy)
        try await self.inner.copy(range, from: other, to: place)
    }
    func sync() async throws(VaultError) {
        try self.gate.passVault()
        try await self.inner.sync()
    }
    func seal(size: Int64) async throws(VaultError) -> StagedIdentity {
        try self.gate.passVault(.beforeSeal)
        let sealed = try await self.inner.seal(size: size)
        try self.gate.passVault(.afterSeal)
        return sealed
    }
    func close() { self.inner.close() }
}

extension TestNode {
    func begin(
        _ path: String, _ length: Int64?, _ change: (inout UploadRequest) -> Void = { _ in }
    ) async throws -> UploadID {
        var request = UploadRequest(path: try Samples.path(path), dialect: .tus, length: length)
        change(&request)
        return try await self.uploads.create(request, by: self.cluster.caller).upload.id
    }

    /// A partial one.
    func beginPart(_ length: Int64) async throws -> UploadID {
        let request = UploadRequest(path: nil, dialect: .tus, length: length)
        return try await self.uploads.create(request, by: self.cluster.caller).upload.id
    }

    func compose(_ path: String, _ parts: [UploadID]) async throws -> UploadProgress {
        var request = UploadRequest(path: try Samples.path(path), dialect: .tus, length: nil)
        request.parts = parts
        return try await self.uploads.create(request, by: self.cluster.caller)
    }

    @discardableResult
    func append(
        _ text: String, to id: UploadID, at offset: Int64, breaks: Bool = false,
        _ change: (inout UploadPiece) -> Void = { _ in }
    ) async throws -> UploadProgress {
        var piece = UploadPiece(offset: offset)
        change(&piece)
        return try await self.uploads.append(
            piece, to: id, by: self.cluster.caller, body: Body(text, breaks: breaks))
    }

    func offset(of id: UploadID) async throws -> Int64 {
        try await self.uploads.status(id, by: self.cluster.caller).upload.durable
    }

    func tidy() async throws {
        let tidying = UploadTidying(
            upkeep: self.cluster.database.store, store: self.cluster.database.store,
            vault: self.cluster.vault,
            logger: TestCluster.logger)
        _ = try await tidying.tidy(by: self.right)
    }
}

extension TestCluster {
    /// As if whoever worked on it had said nothing for long.
    func forgetWork(of id: UploadID) async throws {
        _ = try await self.database.pool.query(
            "update flotilla.upload set worked_at = null where id = \(id.rawValue)")
    }

    func segments(of id: UploadID) async throws -> [UploadSegment] {
        try await self.database.store.upload(id)?.1 ?? []
    }

    func status(of id: UploadID) async throws -> UploadStatus? {
        try await self.database.store.upload(id)?.0.status
    }
}
