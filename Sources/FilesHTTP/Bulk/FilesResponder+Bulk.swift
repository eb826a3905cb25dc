import ClusterModel
import FileService
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Many removals in one request.
extension FilesResponder {
    /// How many removals run at a time: their statements leave together.
    private static let removalsAtOnce = 32

    func removeMany(
        below folder: HomePath, waits: Bool, _ request: Request, by caller: Caller, channel: any Channel
    ) async throws -> Response {
        let body = try await self.json(of: request, waits: waits, channel)
        let asked = try BulkRemoval(json: body, below: folder)
        var results = asked.items.map { item -> BulkAnswer.Item in
            guard case .failure(let problem) = item.path else { return BulkAnswer.Item(path: item.shown) }
            return BulkAnswer.Item(item.shown, refused: problem)
        }
        for group in asked.groups {
            var waiting = group[...]
            await withTaskGroup(of: (Int, BulkAnswer.Item).self) { tasks in
                func begin() {
                    guard let index = waiting.popFirst() else { return }
                    let item = asked.items[index]
                    tasks.addTask {
                        (index, await self.remove(item, recursive: asked.recursive, by: caller))
                    }
                }
                for _ in 0..<Self.removalsAtOnce { begin() }
                for await (index, result) in tasks {
                    results[index] = result
                    begin()
                }
            }
        }
        return JSONText.response(.ok, BulkAnswer(results))
    }

    private func remove(
        _ item: BulkRemoval.Item, recursive: Bool, by caller: Caller
    ) async -> BulkAnswer.Item {
        guard case .success(let path) = item.path else { return BulkAnswer.Item(path: item.shown) }
        do throws(FileServiceError) {
            let receipt = try await self.files.remove(
                path, by: caller, recursive: recursive, ifMatch: item.ifMatch,
                mustBeFolder: item.mustBeFolder)
            var answer = BulkAnswer.Item(path: item.shown)
            answer.outcome = .removed
            answer.transferId = receipt.transfer.text
            return answer
        } catch {
            if case .notFound = error { return BulkAnswer.Item(path: item.shown) }
            if case .tooBusy = error { self.gauge.refused(by: .work) }
            return BulkAnswer.Item(item.shown, refused: FileProblems.problem(error, while: .removing))
        }
    }

    /// The whole body of a request that asks in JSON.
    private func json(of request: Request, waits: Bool, _ channel: any Channel) async throws -> [UInt8] {
        if let type = request.headers[.contentType] {
            let essence = type.lowercased().prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }
            guard essence == "application/json" else {
                throw Problem(
                    .unsupportedMediaType, .unsupportedMediaType,
                    "the body is “\(type)”; it must be application/json")
            }
        }
        let tooLarge = Problem(
            .contentTooLarge, .tooLarge, "the body may have \(BulkRemoval.bytesMax) bytes at most")
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > BulkRemoval.bytesMax {
            throw tooLarge
        }
        if waits { try await BodyInvitation.send(on: channel) }
        var bytes: [UInt8] = []
        do {
            for try await piece in request.body {
                guard bytes.count + piece.readableBytes <= BulkRemoval.bytesMax else { throw tooLarge }
                bytes.append(contentsOf: piece.readableBytesView)
            }
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem(.badRequest, .bodyBroken, "the body was cut off: \(error)")
        }
        return bytes
    }
}

/// What became of each path of a bulk removal.
struct BulkAnswer: Sendable, Equatable, Codable {
    enum Outcome: String, Sendable, Codable {
        case removed, missing, refused
    }

    struct Item: Sendable, Equatable, Codable {
        /// As the request has it.
        var path: String
        var outcome = Outcome.missing
        var transferId: String?
        /// The type and status that a DELETE of this path alone would have had.
        var type: String?
        var status: Int?
        var detail: String?

        init(path: String) { self.path = path }

        init(_ path: String, refused problem: Problem) {
            self.path = path
            self.outcome = .refused
            self.type = Problem.typePrefix + problem.kind.rawValue
            self.status = problem.status.code
            self.detail = problem.detail
        }
    }

    var removed: Int
    var missing: Int
    var refused: Int
    /// In the order of the request.
    var results: [Item]

    init(_ results: [Item]) {
        self.results = results
        self.removed = results.count { $0.outcome == .removed }
        self.missing = results.count { $0.outcome == .missing }
        self.refused = results.count { $0.outcome == .refused }
    }
}
