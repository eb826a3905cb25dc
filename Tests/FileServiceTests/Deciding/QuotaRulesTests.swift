import ClusterModel
import ClusterPorts
import FileService
import Testing

struct QuotaRulesTests {
    private static func account(bytes: Int64?, files: Int64? = nil, use: HomeUse, open: Int64 = 0)
        -> AccountQuota
    {
        AccountQuota(
            quota: Quota(bytes: bytes, files: files), use: use, open: open, countedAt: nil, isPending: false)
    }

    @Test func `a publication costs its size less that of the file it replaces`() {
        let new = FileIdentity(inode: 1, size: 30, modified: 0, isFolder: false)
        #expect(QuotaRules.cost(ofPublishing: new, over: nil) == .difference(HomeUse(bytes: 30, files: 1)))
        // Of eleven bytes.
        let found = Samples.status(.file)
        #expect(QuotaRules.cost(ofPublishing: new, over: found) == .difference(HomeUse(bytes: 19, files: 0)))
        let folder = Samples.status(.folder)
        #expect(QuotaRules.cost(ofPublishing: Samples.folder, over: nil) == .difference(.none))
        #expect(QuotaRules.cost(ofPublishing: new, over: folder) == .difference(HomeUse(bytes: 30, files: 1)))
    }

    @Test func `moves and removals`() {
        #expect(QuotaRules.cost(ofMoving: Samples.file) == .moved(HomeUse(bytes: 11, files: 1)))
        #expect(QuotaRules.cost(ofMoving: Samples.folder) == .movedFolder)
        #expect(QuotaRules.cost(ofRemoving: Samples.file) == .difference(HomeUse(bytes: -11, files: -1)))
        #expect(QuotaRules.cost(ofRemovingFolderWith: nil) == .uncounted)
        #expect(
            QuotaRules.cost(ofRemovingFolderWith: HomeUse(bytes: 4, files: 2))
                == .difference(HomeUse(bytes: -4, files: -2)))
        #expect(ChangeCost.moved(HomeUse(bytes: 9, files: 1)).added == .none)
        #expect(ChangeCost.difference(HomeUse(bytes: -9, files: -1)).churn == HomeUse(bytes: 9, files: 1))
    }

    @Test func `a body is refused when it cannot fit, and what it replaces makes room`() {
        let full = Self.account(bytes: 100, use: HomeUse(bytes: 90, files: 3), open: 8)
        func objects(_ total: Int64, over found: HomeUse = .none, open: Bool = false) -> Bool {
            QuotaRules.objection(to: total, over: found, full, countingOpen: open) != nil
        }
        #expect(!objects(10) && objects(11))
        #expect(!objects(2, open: true) && objects(3, open: true))
        #expect(!objects(30, over: HomeUse(bytes: 20, files: 1)))
        let over = Self.account(bytes: 100, files: 3, use: HomeUse(bytes: 200, files: 3))
        // Shrinking is allowed; a new file is not.
        #expect(
            QuotaRules.objection(to: 5, over: HomeUse(bytes: 5, files: 1), over, countingOpen: false) == nil)
        let refusal = QuotaRules.objection(to: 0, over: .none, over, countingOpen: false)
        #expect(refusal?.need == HomeUse(bytes: 0, files: 1) && refusal?.isAboutBytes == false)
    }
}
