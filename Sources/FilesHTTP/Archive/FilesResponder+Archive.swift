import ClusterModel
import ClusterPorts
import FileService
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Folders as archives.
extension FilesResponder {
    func archive(
        _ path: HomePath, by caller: Caller, isHead: Bool, to recipient: Recipient
    ) async throws -> Response {
        let status = try await self.files.status(of: path, by: caller)
        switch status.kind {
        case .folder: break
        case .link: throw FileServiceError.forbiddenLink(path)
        case .file, .other: throw FileServiceError.notAFolder(path)
        }
        let name = path.name ?? Array(caller.account.name.description.utf8)
        let headers: HTTPFields = [
            .contentType: "application/zip", .xContentTypeOptions: "nosniff", .cacheControl: "no-store",
            .contentDisposition: FileAnswer.disposition(name + Array(".zip".utf8)),
        ]
        guard !isHead else { return Response(status: .ok, headers: headers) }
        let reading = try await self.files.read(folder: path, by: caller)
        let prefix = path.name.map { $0 + [UInt8(ascii: "/")] } ?? []
        return Response(status: .ok, headers: headers, body: self.body(of: reading, prefix, recipient))
    }

    private func body(
        of reading: FolderReading, _ prefix: [UInt8], _ recipient: Recipient
    ) -> ResponseBody {
        let gauge = self.gauge
        let (place, channel) = (recipient.place, recipient.channel)
        return ResponseBody { writer in
            gauge.begin()
            defer {
                gauge.end()
                withExtendedLifetime(place) {}
            }
            let running = reading.begin()
            do {
                var stream = ArchiveStream(running, prefix: prefix, channel: channel)
                try await stream.send()
                try await writer.finish(nil)
            } catch {
                await running.ended(failure: Self.reason(error))
                throw error
            }
            await running.ended(failure: nil)
        }
    }

    /// Why an archive was cut off, for people who read the transfer log.
    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as FileServiceError: FileProblems.problem(error, while: .reading).detail
        case let error as VaultError: error.description
        default: "the client went away: \(error)"
        }
    }
}
