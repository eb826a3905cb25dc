import Foundation
package import HTTPTypes

/// What a request shows to prove who asks.
package enum Credentials: Sendable, Equatable {
    case password(account: String, password: String)
    case key(String)
    /// Of a page in a browser.
    case session(String)

    /// Those of a request: what `Authorization` says; without it a cookie, where that counts.
    package init?(_ request: HTTPRequest) {
        if let authorization = request.headerFields[.authorization] {
            self.init(authorization: authorization)
        } else if let text = SessionCookie.text(request.headerFields),
            PageHeaders.letCookieCount(request), PageHeaders.mean(text, request.headerFields)
        {
            self = .session(text)
        } else {
            return nil
        }
    }

    /// Nil when there are none, or none that can be read.
    package init?(authorization: String?) {
        guard let authorization else { return nil }
        let words = authorization.split(separator: " ", maxSplits: 1)
        guard words.count == 2 else { return nil }
        let secret = words[1].drop { $0 == " " }
        switch words[0].lowercased() {
        case "bearer":
            guard !secret.isEmpty else { return nil }
            self = .key(String(secret))
        case "basic":
            guard let data = Data(base64Encoded: String(secret)),
                let text = String(validating: data, as: UTF8.self),
                let colon = text.firstIndex(of: ":")
            else { return nil }
            self = .password(
                account: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
        default: return nil
        }
    }
}
