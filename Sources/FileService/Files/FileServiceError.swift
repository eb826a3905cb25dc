package import ClusterModel
package import ClusterPorts

/// What went wrong, in the words of the file service.
///
/// Front doors turn it into statuses.
package enum FileServiceError: Error, Sendable, Equatable {
    case notFound(HomePath)
    case parentMissing(HomePath)
    case isFolder(HomePath)
    case notAFolder(HomePath)
    case exists(HomePath)
    case notEmpty(HomePath)
    /// The home itself can be neither written, moved nor removed.
    case isHome
    /// A folder cannot be moved into itself.
    case intoItself(HomePath)
    case forbiddenLink(HomePath)
    /// A precondition failed; what stands there has this tag, nil when nothing does.
    case changed(entityTag: String?)
    case bodyTooShort(expected: Int64, received: Int64)
    case bodyTooLong(expected: Int64)
    case digestMismatch(expected: Digest, received: Digest)
    /// The same for an algorithm beside SHA-256, in hexadecimal digits.
    case checksumMismatch(algorithm: String, expected: String, received: String)
    /// What was asked for is larger than a bound; says which.
    case tooLarge(HomePath, String)
    /// Whoever sent the body may no longer do so now that it is whole.
    case denied
    /// The body ended with an error; most often nobody is left to read the answer.
    case clientGone(String)
    /// The name, or a folder above it, is being changed by somebody else.
    case busy(HomePath, retryAfterSeconds: Int)
    /// Not now, not here: the node, the mount or the database cannot serve. Trying again is right.
    case notServing(reason: String, retryAfterSeconds: Int)
    /// A bound of this node was reached.
    case tooBusy(retryAfterSeconds: Int)
    case full
    /// The account's quota has no room for it.
    case overQuota(QuotaRefusal)
    case readOnly
    case nameTooLong(HomePath)
    case failed(String)
}

extension FileServiceError {
    /// What an error of the mount means for whoever asked for the path.
    ///
    /// Where what is missing lies in staging, this incarnation is dead, and others have reclaimed what it had there: that
    /// says nothing about the path.
    package init(_ error: VaultError, at path: HomePath) {
        self =
            switch error {
            case .notFound(let what) where what.hasPrefix("staging "):
                .notServing(reason: "this node was taken for dead", retryAfterSeconds: 1)
            case .notFound: .notFound(path)
            case .exists: .exists(path)
            case .notAFile: .isFolder(path)
            case .notAFolder: .notAFolder(path)
            case .forbidden: .forbiddenLink(path)
            case .nameTooLong: .nameTooLong(path)
            case .full: .full
            case .readOnly: .readOnly
            case .foreign, .hanging: .notServing(reason: error.description, retryAfterSeconds: 5)
            case .failed(let reason): .failed(reason)
            }
    }

    /// What an error of the database means for whoever asked.
    package init(_ error: StoreError) {
        self =
            switch error {
            case .notRun, .mayHaveRun: .notServing(reason: error.description, retryAfterSeconds: 1)
            case .refused, .corrupt: .failed(error.description)
            }
    }

    /// Why a transfer failed, for people who read the transfer log.
    var reason: String {
        switch self {
        case .notFound(let path): "nothing stands at \(path)"
        case .parentMissing(let path): "the folder \(path) is missing"
        case .isFolder(let path): "\(path) is a folder"
        case .notAFolder(let path): "\(path) is not a folder"
        case .exists(let path): "something stands at \(path)"
        case .notEmpty(let path): "\(path) is not empty"
        case .isHome: "the home itself cannot be changed"
        case .intoItself(let path): "\(path) cannot be moved into itself"
        case .forbiddenLink(let path): "\(path) is a link or leads through one"
        case .changed: "a precondition failed"
        case .bodyTooShort(let expected, let received):
            "the body ended after \(received) of \(expected) bytes"
        case .bodyTooLong(let expected): "the body is longer than its \(expected) bytes"
        case .digestMismatch(let expected, let received): "the digest is \(received), not \(expected)"
        case .checksumMismatch(let algorithm, let expected, let received):
            "the \(algorithm) is \(received), not \(expected)"
        case .tooLarge(let path, let why): "\(path): \(why)"
        case .denied: "the account was shut out while the body came"
        case .clientGone(let reason): "the client went away: \(reason)"
        case .busy(let path, _): "\(path) or a folder above it is being changed by somebody else"
        case .notServing(let reason, _): reason
        case .tooBusy: "the node has too much to do"
        case .full: "no space is left"
        case .overQuota(let refusal): refusal.reason
        case .readOnly: "the mount is read-only"
        case .nameTooLong(let path): "\(path) is too long for the file system"
        case .failed(let reason): reason
        }
    }
}

/// Runs a call of the mount and says its failure in the words of the file service.
func onMount<Value>(
    _ path: HomePath, _ call: () async throws(VaultError) -> Value
) async throws(FileServiceError) -> Value {
    do { return try await call() } catch { throw FileServiceError(error, at: path) }
}

/// Runs a call of the database and says its failure in the words of the file service.
func onStore<Value>(_ call: () async throws(StoreError) -> Value) async throws(FileServiceError) -> Value {
    do { return try await call() } catch { throw FileServiceError(error) }
}
