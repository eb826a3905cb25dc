import ClusterModel
import ClusterPorts

import struct Foundation.Date

/// Where the file at a path was published, by what the transfer log says of moves.
enum FileOrigin: Hashable, Sendable {
    /// At this very path: nothing was moved here since.
    case here
    /// It was published there, with this digest, and moved here.
    case elsewhere(HomePath, ClusterModel.Digest)
    /// It was moved here, and the log does not say where it came from in the end.
    case unknown

    /// From path to path.
    private static let movesMax = 8

    static func find(
        _ path: HomePath, of account: AccountName, in transfers: any TransferStore
    ) async throws(StoreError) -> FileOrigin {
        var path = path
        var before: Date?
        for moves in 0...Self.movesMax {
            let upload = try await Self.upload(to: path, of: account, before: before, in: transfers)
            let move = try await Self.move(
                onto: path, of: account, after: upload?.endedAt, before: before, in: transfers)
            guard let move, let source = Self.source(of: path, by: move) else {
                if moves == 0 { return .here }
                return upload?.digest.map { .elsewhere(path, $0) } ?? .unknown
            }
            path = source
            before = move.endedAt
        }
        return .unknown
    }

    /// Of a moved folder, the file has come from the same place below the folder's old path.
    private static func source(of path: HomePath, by move: TransferRecord) -> HomePath? {
        guard let target = move.target else { return nil }
        var source = move.path
        for name in path.components.dropFirst(target.components.count) {
            guard let longer = try? source.appending(name) else { return nil }
            source = longer
        }
        return source
    }

    private static func upload(
        to path: HomePath, of account: AccountName, before: Date?, in transfers: any TransferStore
    ) async throws(StoreError) -> TransferRecord? {
        var query = Self.newest(.upload, of: account, before: before)
        query.path = path
        return try await transfers.transfers(query).first
    }

    private static func move(
        onto path: HomePath, of account: AccountName, after: Date?, before: Date?,
        in transfers: any TransferStore
    ) async throws(StoreError) -> TransferRecord? {
        var query = Self.newest(.move, of: account, before: before)
        query.endedFrom = after
        var place: HomePath? = path
        while let target = place, !target.isHome {
            query.targets.append(target)
            place = target.parent
        }
        return try await transfers.transfers(query).first
    }

    private static func newest(
        _ kind: TransferRecord.Kind, of account: AccountName, before: Date?
    ) -> TransferQuery {
        var query = TransferQuery()
        query.account = account
        query.kind = kind
        query.status = .completed
        query.endedBefore = before
        query.sort = .ended
        query.limit = 1
        return query
    }
}
