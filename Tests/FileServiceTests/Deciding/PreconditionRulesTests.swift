import ClusterModel
import ClusterPorts
import FileService
import Testing

struct PreconditionRulesTests {
    let path: HomePath

    init() throws { self.path = try Samples.path("a/b") }

    @Test func `If-Match compares tags strongly, in lists, and star means that something is there`() {
        #expect(PreconditionRules.matches("\"a\"", "\"a\""))
        #expect(PreconditionRules.matches("\"x\", \"a\"", "\"a\""))
        #expect(PreconditionRules.matches(" * ", "\"a\""))
        #expect(!PreconditionRules.matches("W/\"a\"", "\"a\""))
        #expect(!PreconditionRules.matches("\"b\"", "\"a\""))
        #expect(!PreconditionRules.matches("*", nil))
        #expect(!PreconditionRules.matches("", "\"a\""))
    }

    @Test func `an upload replaces files and nothing else`() {
        let plain = PutOptions()
        #expect(PreconditionRules.objection(to: self.path, found: nil, options: plain) == nil)
        #expect(
            PreconditionRules.objection(to: self.path, found: Samples.status(.file), options: plain) == nil)
        let folder = PreconditionRules.objection(
            to: self.path, found: Samples.status(.folder), options: plain)
        #expect(folder == .isFolder(self.path))
        let link = PreconditionRules.objection(to: self.path, found: Samples.status(.link), options: plain)
        #expect(link == .forbiddenLink(self.path))
        let other = PreconditionRules.objection(to: self.path, found: Samples.status(.other), options: plain)
        #expect(other == .exists(self.path))
    }

    @Test func `an upload with conditions says what stands there`() {
        let file = Samples.status(.file)
        var fresh = PutOptions()
        fresh.replaces = false
        #expect(
            PreconditionRules.objection(to: self.path, found: file, options: fresh)
                == .changed(entityTag: file.entityTag))
        var same = PutOptions()
        same.ifMatch = file.entityTag
        #expect(PreconditionRules.objection(to: self.path, found: file, options: same) == nil)
        #expect(
            PreconditionRules.objection(to: self.path, found: nil, options: same) == .changed(entityTag: nil))
        same.ifMatch = "\"other\""
        #expect(
            PreconditionRules.objection(to: self.path, found: file, options: same)
                == .changed(entityTag: file.entityTag))
    }

    @Test func `what is taken away must be there, unchanged and no link`() {
        #expect(
            PreconditionRules.objection(toTaking: self.path, found: nil, ifMatch: nil) == .notFound(self.path)
        )
        #expect(
            PreconditionRules.objection(toTaking: self.path, found: nil, ifMatch: "*")
                == .changed(entityTag: nil))
        let link = Samples.status(.link)
        #expect(
            PreconditionRules.objection(toTaking: self.path, found: link, ifMatch: nil)
                == .forbiddenLink(self.path))
        let file = Samples.status(.file)
        #expect(PreconditionRules.objection(toTaking: self.path, found: file, ifMatch: file.entityTag) == nil)
    }

    @Test func `a parent is a folder or is named`() {
        let parent = self.path
        #expect(PreconditionRules.objection(toParent: parent, found: nil) == .parentMissing(parent))
        #expect(
            PreconditionRules.objection(toParent: parent, found: Samples.status(.file)) == .notAFolder(parent)
        )
        #expect(PreconditionRules.objection(toParent: parent, found: Samples.status(.folder)) == nil)
    }
}
