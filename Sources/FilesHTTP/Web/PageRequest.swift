package import HTTPDoor
package import HTTPTypes

/// What a request for the page, or for its session, asks.
package enum PageRequest: Sendable, Equatable {
    /// The page is elsewhere: at ``home``.
    case moved
    case document(ifNoneMatch: EntityTags?)
    case options(allowed: String)
    case whoAmI
    case signIn
    case signOut

    /// Where the page is.
    package static let home = "/web/"
    package static let read = "GET, HEAD, OPTIONS"
    package static let session = "GET, HEAD, POST, DELETE, OPTIONS"

    /// Nil for what is no business of the page.
    package init?(
        _ method: HTTPRequest.Method, _ target: RequestTarget, _ headers: HTTPFields
    ) throws(Problem) {
        guard target.components.count < 2 else { return nil }
        switch target.components.first.map({ String(decoding: $0, as: UTF8.self) }) {
        case nil where method == .get || method == .head: self = .moved
        case "web":
            // Links are handed on with all sorts of parameters; the page has none, and is the same with any.
            if method == .options {
                self = .options(allowed: Self.read)
                return
            }
            try Self.check(method, Self.read)
            self =
                target.endsWithSlash
                ? .document(ifNoneMatch: try FileHeaders.tags(.ifNoneMatch, headers)) : .moved
        case "session":
            self = try Self.session(method, target, headers)
        default: return nil
        }
    }

    private static func session(
        _ method: HTTPRequest.Method, _ target: RequestTarget, _ headers: HTTPFields
    ) throws(Problem) -> PageRequest {
        try QueryReader(target.query).finish()
        switch method.rawValue {
        case "OPTIONS": return .options(allowed: Self.session)
        case "GET", "HEAD": return .whoAmI
        case "POST", "DELETE":
            // Else any page anywhere could sign its visitors in, or out.
            guard PageHeaders.areOwn(headers) else {
                throw Problem(
                    .badRequest, .invalidHeader,
                    "the header \(PageHeaders.page) is missing, or the request comes from another site's page"
                ).with("header", PageHeaders.page.canonicalName)
            }
            return method == .post ? .signIn : .signOut
        default: throw Problem.methodNotAllowed(method, allowed: Self.session)
        }
    }

    private static func check(_ method: HTTPRequest.Method, _ allowed: String) throws(Problem) {
        guard method == .get || method == .head else {
            throw Problem.methodNotAllowed(method, allowed: allowed)
        }
    }
}
