package import ClusterModel
package import ClusterPorts

/// Copies or moves one file, within a home or from one to another.
///
/// Done again it finds what earlier runs have done, by the ids of ``CarryStep``, and goes on from there; a copy that
/// was only staged begins anew. What must never be twice is decided by statements that prove the claim
/// (``JobFiles``); a source is removed only after its copy is durable and visible, and only if it is still the file
/// that was copied.
package struct CarryHandler: JobHandler {
    package enum Errand: Sendable {
        case copy, move
    }

    package let kind: JobKind
    let errand: Errand
    let vault: any StagingArea & HomeFolders
    let files: any JobFiles
    let accounts: any AccountStore
    /// Bytes of one read: what a job holds in memory, twice.
    let piece: Int
    /// Short at first, since what is in the way is mostly a name that is just being changed; 20 attempts take up to two
    /// hours.
    private static let backoff = JobBackoff(shortest: .seconds(1), longest: .seconds(600))

    package init(
        _ errand: Errand, vault: any StagingArea & HomeFolders, files: any JobFiles,
        accounts: any AccountStore, piece: Int = 256 << 10
    ) {
        switch errand {
        case .copy: self.kind = WorkKind.copy
        case .move: self.kind = WorkKind.move
        }
        self.errand = errand
        self.vault = vault
        self.files = files
        self.accounts = accounts
        self.piece = piece
    }

    package func run(_ job: ClaimedJob, _ desk: any JobDesk) async -> JobEnd {
        let order: CarryOrder
        do throws(CarryOrder.Fault) { order = try CarryOrder(job.payload) } catch {
            return .failed(reason: error.description)
        }
        do throws(CarryBreak) {
            let carrying = Carrying(
                work: self, job: job, desk: desk, order: order,
                from: try await self.place(order.from, "from"), to: try await self.place(order.to, "to"))
            switch self.errand {
            case .copy: return .done(note: try await carrying.copy())
            case .move: return .done(note: try await carrying.move())
            }
        } catch {
            switch error {
            case .failed(let reason): return .failed(reason: reason)
            case .stopped(let reason): return .givenBack(reason: reason)
            case .later(let reason):
                guard desk.isHeld(job.title) else { return .givenBack(reason: "the claim was lost") }
                // It was this node's fault, and no attempt of the job.
                guard !desk.isDraining else { return .givenBack(reason: "the node drains: \(reason)") }
                return Self.backoff.retry(job, reason: reason, chance: .random(in: 0...1))
            }
        }
    }

    private func place(
        _ place: CarryOrder.Place, _ field: String
    ) async throws(CarryBreak) -> HomePlace {
        let found: Account?
        do throws(StoreError) { found = try await self.accounts.account(named: place.account).value } catch {
            throw .later(error.description)
        }
        guard let found else {
            throw .failed("the payload's field “\(field).account”: there is no account “\(place.account)”")
        }
        return HomePlace(account: found, path: place.path)
    }
}

/// Why a run ends without being done.
enum CarryBreak: Error {
    /// For good.
    case failed(String)
    /// This time.
    case later(String)
    /// Because it was told to; another node goes on.
    case stopped(String)

    init(_ fault: JobFileFault) {
        switch fault {
        case .refused(let reason): self = .failed(reason)
        case .later(let reason): self = .later(reason)
        }
    }

    init(_ error: VaultError) {
        switch error {
        case .notFound, .notAFile, .notAFolder, .forbidden, .nameTooLong, .exists:
            self = .failed(error.description)
        case .full, .readOnly, .foreign, .hanging, .failed: self = .later(error.description)
        }
    }
}
