import FileService
package import HTTPTypes

/// The cookie that holds a session in a browser.
///
/// No script can read it (`HttpOnly`), and no browser adds it to what other sites ask for (`SameSite`).
package enum SessionCookie {
    package static let name = "flotilla-session"

    /// The session's text; nil when the request has none.
    package static func text(_ headers: HTTPFields) -> String? {
        for pair in (headers[.cookie] ?? "").split(separator: ";") {
            let sides = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            if sides.count == 2, sides[0] == Self.name { return String(sides[1]) }
        }
        return nil
    }

    /// - Parameter headers: the request's.
    static func begun(_ session: Session, _ headers: HTTPFields) -> String {
        Self.field(session.text, seconds: Session.lifetime.components.seconds, headers)
    }

    static func ended(_ headers: HTTPFields) -> String { Self.field("", seconds: 0, headers) }

    private static func field(_ value: String, seconds: Int64, _ headers: HTTPFields) -> String {
        // Over TLS, which ends before us, it shall never go without. A lie about that harms only whoever tells it.
        let secure = headers[PageHeaders.forwardedProtocol]?.lowercased() == "https" ? "; Secure" : ""
        return "\(Self.name)=\(value); Path=/; Max-Age=\(seconds); HttpOnly; SameSite=Strict\(secure)"
    }
}
