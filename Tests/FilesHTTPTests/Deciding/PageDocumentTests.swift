import Crypto
import FilesHTTP
import Foundation
import HTTPTypes
import Testing

/// The page as it is put together; what it does is tested in a browser (deploy/e2e/browser).
@Suite struct PageDocumentTests {
    private let text = String(decoding: PageAssets.document.bytes, as: UTF8.self)

    /// What stands between two marks, of which there is one each.
    private func between(_ start: String, _ end: String) throws -> String {
        let parts = self.text.components(separatedBy: start)
        try #require(parts.count == 2, "“\(start)” stands there \(parts.count - 1) times")
        return try #require(parts[1].components(separatedBy: end).first)
    }

    private func source(_ text: String) -> String {
        "'sha256-\(Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString())'"
    }

    @Test func `only the page's own script and style are allowed, and nothing else is loaded`() throws {
        let policy = try #require(PageAssets.document.headers[.contentSecurityPolicy])
        let script = try self.between(#"<script type="module">"#, "</script>")
        let style = try self.between("<style>", "</style>")
        #expect(policy.contains("script-src \(self.source(script));"))
        #expect(policy.contains("style-src \(self.source(style));"))
        #expect(policy.hasPrefix("default-src 'none';") && !policy.contains("unsafe"))
        #expect(
            !self.text.contains(" src=") && !self.text.contains("@import") && !self.text.contains("//cdn"))
        #expect(!self.text.contains(#/\son[a-z]+=/#), "a handler in the markup would not run")
        #expect(!self.text.contains(#/\sstyle=/#), "a style in the markup would not be applied")
    }

    @Test func `no name can become markup`() {
        for word in ["innerHTML", "outerHTML =", "insertAdjacentHTML", "document.write", "eval("] {
            #expect(!self.text.contains(word), "\(word)")
        }
    }

    @Test func `modules import only what one before them exports`() throws {
        var exported: [String: Set<String>] = [:]
        for module in PageAssets.modules {
            for line in module.text.split(separator: "\n") where line.hasPrefix("import") {
                let found = try #require(
                    line.wholeMatch(of: #/import \{ (.+) \} from "\./([a-z]+\.js)";/#),
                    "\(module.name): an import takes one line: \(line)")
                let names = found.output.1.split(separator: ", ").map(String.init)
                let known = try #require(
                    exported[String(found.output.2)], "\(module.name): \(found.output.2) comes later")
                for name in names { #expect(known.contains(name), "\(module.name): \(name)") }
            }
            let declared = module.text.matches(
                of: #/(?m)^export (?:async )?(?:function|class|const|let) (\w+)/#)
            exported[module.name] = Set(declared.map { String($0.output.1) })
        }
    }

    @Test func `no two modules have a name in common`() {
        var owners: [String: String] = [:]
        let declaration = #/(?m)^(?:export )?(?:async )?(?:function|class|const|let) (\w+)/#
        for module in PageAssets.modules {
            for match in module.text.matches(of: declaration) {
                let name = String(match.output.1)
                #expect(owners[name] == nil, "\(name) is in \(owners[name] ?? "") and \(module.name)")
                owners[name] = module.name
            }
        }
        #expect(owners.count > 50)
    }

    @Test func `joining leaves out imports and the word export, and nothing else`() {
        let one = PageDocument.Module("one.js", Array("export const a = 1;\n// export\n".utf8))
        let two = PageDocument.Module("two.js", Array("import { a } from \"./one.js\";\nlet b = a;\n".utf8))
        #expect(
            PageDocument.joined([one, two])
                == "// one.js\nconst a = 1;\n// export\n\n// two.js\nlet b = a;\n")
    }

    @Test func `another content has another tag`() {
        func page(_ style: String) -> PageDocument {
            let html = PageDocument.styleLink + PageDocument.scriptLink
            return PageDocument(html: Array(html.utf8), style: Array(style.utf8), modules: [])
        }
        #expect(page("a {}").entityTag == page("a {}").entityTag)
        #expect(page("a {}").entityTag != page("b {}").entityTag)
    }
}
