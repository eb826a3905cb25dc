import ClusterModel
import ClusterPorts
import FileService
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Who gets an answer's body.
struct Recipient {
    /// Kept until the body is sent, or is known never to be.
    let place: AccountPlace
    let channel: any Channel
}

/// Uploads, downloads and listings.
extension FilesResponder {
    func receive(
        _ upload: FileRequest.Upload, _ request: Request, by caller: Caller, channel: any Channel
    ) async throws -> Response {
        let credentials = Credentials(request.head)
        let receipt = try await self.files.put(
            upload.path, by: caller, options: upload.options, expectedLength: upload.length,
            body: DigestedBody(
                body: UploadBody(
                    body: request.body, length: upload.length, waiting: upload.waits ? channel : nil,
                    atEnd: { try await self.checkAgain(credentials, caller.account) }),
                announced: upload.digests.others))
        return JSONText.response(
            receipt.created ? .created : .ok, UploadAnswer(receipt),
            headers: [
                .eTag: receipt.entityTag, FileHeaders.reprDigest: FileHeaders.reprDigest(receipt.digest),
            ])
    }

    func read(
        _ path: HomePath, _ conditions: ReadConditions, _ listing: FileRequest.Listing, by caller: Caller,
        isHead: Bool, to recipient: Recipient
    ) async throws -> Response {
        if listing.isCertain {
            return try await self.show(folder: path, listing, by: caller, isHead: isHead, to: recipient)
        }
        do {
            // What is refused or not modified is found out before the file is opened: only what is sent is
            // logged.
            if isHead || conditions != ReadConditions() {
                let answer = try await self.show(path, conditions, by: caller)
                if answer.status == .notModified { return answer }
                var wanted: HTTPFields = [:]
                if !conditions.wanted.isEmpty { wanted = try await self.digest(path, conditions, by: caller) }
                return isHead
                    ? answer.adding(wanted)
                    : try await self.send(path, conditions, by: caller, to: recipient).adding(wanted)
            }
            return try await self.send(path, conditions, by: caller, to: recipient)
        } catch FileServiceError.isFolder {
            return try await self.show(folder: path, listing, by: caller, isHead: isHead, to: recipient)
        }
    }

    /// As a page of its entries, or as an archive.
    private func show(
        folder path: HomePath, _ listing: FileRequest.Listing, by caller: Caller, isHead: Bool,
        to recipient: Recipient
    ) async throws -> Response {
        guard !listing.asArchive else {
            return try await self.archive(path, by: caller, isHead: isHead, to: recipient)
        }
        return try await self.list(path, listing, by: caller)
    }

    /// The digests that are wanted, with the tag of the file that has them.
    private func digest(
        _ path: HomePath, _ conditions: ReadConditions, by caller: Caller
    ) async throws -> HTTPFields {
        let status = try await self.files.status(of: path, by: caller)
        guard let digest = try await self.files.digest(of: path, as: status, by: caller) else { return [:] }
        var headers = conditions.wanted.headers(digest)
        headers[.eTag] = status.entityTag
        return headers
    }

    private func list(
        _ path: HomePath, _ listing: FileRequest.Listing, by caller: Caller
    ) async throws -> Response {
        let walk = listing.walk ?? .next()
        let entries = try await self.files.list(
            path, by: caller, after: listing.after, limit: listing.limit, walk: walk)
        return JSONText.response(
            .ok, FolderListing(path: path, entries: entries, limit: listing.limit, walk: walk),
            headers: path.isHome ? QuotaHeaders.fields(try await self.files.quota(by: caller)) : [:])
    }

    /// The answer without the file's bytes.
    private func show(_ path: HomePath, _ conditions: ReadConditions, by caller: Caller) async throws
        -> Response
    {
        let status = try await self.files.status(of: path, by: caller)
        switch status.kind {
        case .folder: throw FileServiceError.isFolder(path)
        case .link: throw FileServiceError.forbiddenLink(path)
        case .other: throw FileServiceError.notFound(path)
        case .file: break
        }
        var headers = FileAnswer.headers(status, path: path)
        switch try conditions.outcome(tag: status.entityTag, size: status.size) {
        case .notModified: return Response(status: .notModified, headers: FileAnswer.notModified(headers))
        case .whole, .part, .parts:
            headers[.contentLength] = "\(status.size)"
            return Response(status: .ok, headers: headers)
        }
    }

    private func send(
        _ path: HomePath, _ conditions: ReadConditions, by caller: Caller, to recipient: Recipient
    ) async throws -> Response {
        let download = SentDownload(try await self.files.open(path, by: caller), dropped: self.dropped)
        let status = download.status
        var headers = FileAnswer.headers(status, path: path)
        do {
            switch try conditions.outcome(tag: status.entityTag, size: status.size) {
            case .notModified:
                await download.end(sent: 0, failure: nil)
                return Response(status: .notModified, headers: FileAnswer.notModified(headers))
            case .whole:
                return Response(
                    status: .ok, headers: headers,
                    body: self.body(of: download, [SentPart(bytes: 0..<status.size)], recipient))
            case .part(let bytes):
                headers[.contentRange] = MultipartRanges.contentRange(bytes, of: status.size)
                return Response(
                    status: .partialContent, headers: headers,
                    body: self.body(of: download, [SentPart(bytes: bytes)], recipient))
            case .parts(let ranges):
                let answer = MultipartRanges(
                    ranges, size: status.size, contentType: headers[.contentType],
                    boundary: MultipartRanges.freshBoundary())
                headers[.contentType] = answer.contentType
                return Response(
                    status: .partialContent, headers: headers,
                    body: self.body(of: download, answer.parts, recipient))
            }
        } catch {
            await download.end(sent: 0, failure: error.detail)
            throw error
        }
    }

    private func body(
        of download: SentDownload, _ parts: [SentPart], _ recipient: Recipient
    ) -> ResponseBody {
        let gauge = self.gauge
        let (place, channel) = (recipient.place, recipient.channel)
        return ResponseBody(contentLength: parts.reduce(0) { $0 + $1.count }) { writer in
            gauge.begin()
            defer {
                gauge.end()
                withExtendedLifetime(place) {}
            }
            try await download.send(parts, to: &writer, on: channel)
        }
    }
}

extension Response {
    /// With digests, if they are of this very file.
    fileprivate func adding(_ digests: HTTPFields) -> Response {
        guard let tag = digests[.eTag], self.headers[.eTag] == tag else { return self }
        var copy = self
        for field in digests { copy.headers[field.name] = field.value }
        return copy
    }
}
