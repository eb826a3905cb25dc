import ClusterModel
import Crypto
import Foundation
package import HTTPTypes

/// The page as it is sent: one document with its style and its script in it.
///
/// It is kept as ordinary HTML, CSS and ES modules, and could be served so. It is joined because nodes of two versions serve at
/// the same time during an upgrade, and because a node may die between two requests: whoever has the document has all of it,
/// and never the script of one version with the style of another (docs/decisions/0027).
package struct PageDocument: Sendable {
    package let bytes: [UInt8]
    package let entityTag: String
    package let headers: HTTPFields

    package struct Module: Sendable {
        package var name: String
        package var text: String

        package init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            self.text = String(decoding: bytes, as: UTF8.self)
        }
    }

    /// How the HTML names them; each stands there once.
    package static let styleLink = #"<link rel="stylesheet" href="page.css">"#
    package static let scriptLink = #"<script type="module" src="main.js"></script>"#

    /// - Parameter modules: in an order in which each imports only from those before it.
    package init(html: [UInt8], style: [UInt8], modules: [Module]) {
        let style = String(decoding: style, as: UTF8.self)
        let script = Self.joined(modules)
        let html = String(decoding: html, as: UTF8.self)
        for link in [Self.styleLink, Self.scriptLink] {
            precondition(html.ranges(of: link).count == 1, "the page does not have “\(link)” once")
        }
        let whole = html.replacing(Self.styleLink, with: "<style>\(style)</style>").replacing(
            Self.scriptLink, with: #"<script type="module">\#(script)</script>"#)
        self.bytes = Array(whole.utf8)
        self.entityTag = "\"\(Array(SHA256.hash(data: self.bytes).prefix(16)).hex)\""
        self.headers = Self.headers(tag: self.entityTag, style: style, script: script)
    }

    /// The modules as one: without the lines that import, and without the word `export`.
    ///
    /// That is right as long as no two of them have a name in common and each import takes a line; tests see to it.
    package static func joined(_ modules: [Module]) -> String {
        modules.map { module in
            let lines = module.text.split(separator: "\n", omittingEmptySubsequences: false).filter {
                !$0.hasPrefix("import ")
            }
            return "// \(module.name)\n"
                + lines.map { $0.hasPrefix("export ") ? $0.dropFirst(7) : $0 }.joined(separator: "\n")
        }.joined(separator: "\n")
    }

    private static func headers(tag: String, style: String, script: String) -> HTTPFields {
        // Nothing but what is in the document may run or be applied, nothing else is loaded, and it talks to this server
        // only. Chromium also refuses to take any text for HTML.
        let policy = [
            "default-src 'none'", "script-src \(Self.source(script))", "style-src \(Self.source(style))",
            "img-src data:", "connect-src 'self'", "form-action 'none'", "base-uri 'none'",
            "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
        ].joined(separator: "; ")
        var headers: HTTPFields = [
            .contentType: "text/html; charset=utf-8", .eTag: tag, .cacheControl: "no-cache",
            .xContentTypeOptions: "nosniff", .contentSecurityPolicy: policy,
        ]
        headers[PageHeaders.referrerPolicy] = "no-referrer"
        headers[PageHeaders.openerPolicy] = "same-origin"
        headers[PageHeaders.resourcePolicy] = "same-origin"
        return headers
    }

    /// How a content security policy names a script or a style that stands in the document.
    private static func source(_ text: String) -> String {
        "'sha256-\(Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString())'"
    }
}
