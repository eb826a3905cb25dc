import ClusterModel
import FileService
package import HTTPDoor
package import HTTPTypes

/// Tells requests of our own page from those that somebody else's page makes a browser send.
///
/// A browser adds the cookie by itself, also where another page is behind the request. What it does not do by itself is
/// `Flotilla-Page`: a page of another origin may not add it, since nobody here answers the question that the
/// browser would ask first. `Sec-Fetch-Site` is the browser's own word about who is behind it; ports of one host are one
/// site to `SameSite`, but not to it.
package enum PageHeaders {
    /// The account that the page shows; 1 while it shows none.
    package static let page = DoorHeader.name("Flotilla-Page")
    package static let fetchSite = DoorHeader.name("Sec-Fetch-Site")
    static let forwardedProtocol = DoorHeader.name("X-Forwarded-Proto")
    static let referrerPolicy = DoorHeader.name("Referrer-Policy")
    static let openerPolicy = DoorHeader.name("Cross-Origin-Opener-Policy")
    static let resourcePolicy = DoorHeader.name("Cross-Origin-Resource-Policy")

    /// Whether a cookie says who asks: links, which only read, have no header of their own.
    package static func letCookieCount(_ request: HTTPRequest) -> Bool {
        guard request.method == .get else { return Self.areOwn(request.headerFields) }
        return Self.isSameOrigin(request.headerFields)
    }

    /// Whether the session is of the account that the page shows: a browser has one cookie for all its pages, and somebody
    /// else may have signed in in another one.
    static func mean(_ session: String, _ headers: HTTPFields) -> Bool {
        guard let shown = headers[Self.page], shown != "1" else { return true }
        return SessionSeal.read(session)?.account.description == shown
    }

    /// Whether our page made the request, as far as a browser can be believed.
    package static func areOwn(_ headers: HTTPFields) -> Bool {
        headers[Self.page] != nil && Self.isSameOrigin(headers)
    }

    /// Browsers leave the field out where there is no TLS and the host is not their own machine.
    private static func isSameOrigin(_ headers: HTTPFields) -> Bool {
        guard let site = headers[Self.fetchSite] else { return true }
        return site == "same-origin" || site == "none"
    }

    /// Whether a browser with our page is behind it, signed in or not.
    package static func speak(_ headers: HTTPFields) -> Bool {
        headers[Self.page] != nil || SessionCookie.text(headers) != nil
    }

    /// A refusal that makes no browser ask for name and password with a window of its own.
    package static func quiet(_ problem: Problem) -> Problem {
        guard problem.status == .unauthorized else { return problem }
        return problem.with(header: .wwwAuthenticate, #"Flotilla-Session realm="Flotilla""#)
    }
}
