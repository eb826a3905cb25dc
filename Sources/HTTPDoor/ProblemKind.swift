/// Every kind of problem that a front door answers; the raw value is the stable end of the document's `type`.
///
/// docs/api/errors.md explains each to clients; a test holds it against this list.
package enum ProblemKind: String, Sendable, CaseIterable {
    // What the request says.
    case malformedPath = "malformed-path"
    case unknownParameter = "unknown-parameter"
    case invalidParameter = "invalid-parameter"
    case invalidHeader = "invalid-header"
    case invalidBody = "invalid-body"
    case unknownField = "unknown-field"
    case invalidField = "invalid-field"
    case lengthRequired = "length-required"
    case tooLarge = "too-large"
    case unsupportedMediaType = "unsupported-media-type"
    case expectationFailed = "expectation-failed"
    case unsupportedVersion = "unsupported-version"
    case noRoute = "no-route"
    case methodNotAllowed = "method-not-allowed"
    case invalidRange = "invalid-range"
    case rangeNotSatisfiable = "range-not-satisfiable"

    // Who asks.
    case unauthorized
    case forbidden

    // The body on its way.
    case bodyTooShort = "body-too-short"
    case bodyTooLong = "body-too-long"
    case bodyBroken = "body-broken"
    case digestMismatch = "digest-mismatch"

    // What stands on the mount or in the database.
    case notFound = "not-found"
    case parentMissing = "parent-missing"
    case isFolder = "is-folder"
    case notAFolder = "not-a-folder"
    case exists
    case notEmpty = "not-empty"
    case isHome = "is-home"
    case forbiddenLink = "forbidden-link"
    case changed
    case busy
    case wrongOffset = "wrong-offset"
    case uploadEnded = "upload-ended"
    case composedUpload = "composed-upload"
    case unfinishedPart = "unfinished-part"
    case taken
    case tooMany = "too-many"

    // The node and its surroundings.
    case notServing = "not-serving"
    case tooBusy = "too-busy"
    case accountBusy = "account-busy"
    case tooManyAttempts = "too-many-attempts"
    case full
    case overQuota = "over-quota"
    case readOnly = "read-only"
    case failed

    /// What it means in a few words, the same for each occurrence.
    package var title: String {
        switch self {
        case .malformedPath: "The path is not well formed"
        case .unknownParameter: "A query parameter is unknown"
        case .invalidParameter: "A query parameter has a value that is not allowed"
        case .invalidHeader: "A header field has a value that is not allowed"
        case .invalidBody: "The body is not what it should be"
        case .unknownField: "A field of the body is unknown"
        case .invalidField: "A field of the body has a value that is not allowed"
        case .lengthRequired: "The length of the body is missing"
        case .tooLarge: "The body is too large"
        case .unsupportedMediaType: "The type or coding of the body is not supported"
        case .expectationFailed: "The expectation cannot be met"
        case .unsupportedVersion: "The version of the protocol is not spoken here"
        case .noRoute: "Nothing is served at this address"
        case .methodNotAllowed: "The method is not allowed here"
        case .invalidRange: "The range is not well formed"
        case .rangeNotSatisfiable: "The range lies outside the file"
        case .unauthorized: "Valid credentials are needed"
        case .forbidden: "The role does not allow this"
        case .bodyTooShort: "The body is shorter than its length"
        case .bodyTooLong: "The body is longer than its length"
        case .bodyBroken: "The body did not arrive whole"
        case .digestMismatch: "The body does not have the digest that was announced"
        case .notFound: "Nothing is there"
        case .parentMissing: "The folder above is missing"
        case .isFolder: "It is a folder"
        case .notAFolder: "It is not a folder"
        case .exists: "Something is there already"
        case .notEmpty: "The folder is not empty"
        case .isHome: "The home itself cannot be changed this way"
        case .forbiddenLink: "A link is in the way"
        case .changed: "It has changed meanwhile"
        case .busy: "It is being changed by another request"
        case .wrongOffset: "The upload goes on at another byte"
        case .uploadEnded: "The upload has ended"
        case .composedUpload: "The upload is put together from others"
        case .unfinishedPart: "A part of the upload is not whole"
        case .taken: "The name is taken"
        case .tooMany: "There are as many as there may be"
        case .notServing: "This node is not serving now"
        case .tooBusy: "This node has too much to do"
        case .accountBusy: "The account has too many requests at a time"
        case .tooManyAttempts: "There are too many attempts to log in"
        case .full: "No space is left"
        case .overQuota: "The account has no room for it"
        case .readOnly: "The files cannot be changed now"
        case .failed: "Something went wrong on the server"
        }
    }
}
