import ClusterModel
import FileService
import Foundation
import HTTPDoor
import HTTPTypes

/// The header fields that tell how an upload stands.
enum TusAnswer {
    /// After a request that changed it.
    static func progress(_ progress: UploadProgress) -> HTTPFields {
        let upload = progress.upload
        var headers: HTTPFields = [.cacheControl: "no-store"]
        // How far the putting together is, is nothing to go on with.
        if !upload.isComposed || upload.status != .open { headers[TusHeaders.offset] = "\(upload.durable)" }
        if upload.status == .open {
            headers[TusHeaders.expires] = HTTPDate.text(
                seconds: Int64(upload.expiresAt.timeIntervalSince1970))
        }
        if let receipt = progress.receipt {
            headers[.eTag] = receipt.entityTag
            headers[FileHeaders.reprDigest] = FileHeaders.reprDigest(receipt.digest)
            headers[FileHeaders.transfer] = receipt.transfer.text
        }
        return headers
    }

    /// To whoever asks.
    static func status(_ progress: UploadProgress) -> HTTPFields {
        let upload = progress.upload
        var headers = Self.progress(progress)
        if let concat = TusConcat(upload) { headers[TusHeaders.concat] = concat.text }
        if let length = upload.length ?? upload.announced {
            headers[TusHeaders.length] = "\(length)"
        } else {
            headers[TusHeaders.deferLength] = "1"
        }
        if !upload.metadata.isEmpty { headers[TusHeaders.metadata] = upload.metadata }
        return headers
    }

    /// Why nothing can be told of it any more; nil for one that is open or went well.
    static func ended(_ upload: Upload) -> UploadError? {
        switch upload.status {
        case .open, .decided: nil
        case .aborted: .ended(reason: upload.reason ?? "it was aborted")
        case .finished: upload.reason.map { UploadError.ended(reason: $0) }
        }
    }
}
