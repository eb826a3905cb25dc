import AdminHTTP
import ClusterPorts
import FileService
import FilesHTTP
import HTTPDoor
import Logging
import ServiceLifecycle

/// The two front doors of a node.
struct Doors {
    let settings: Settings
    let files: FileService
    let gatekeeper: Gatekeeper
    let desk: AccountDesk
    let transfers: any TransferStore
    let members: any MemberControl
    let leases: any LeaseStore
    let feed: any FeedStore
    let standing: any NodeStanding
    let cache: (any ViewCache)?
    let gauge: RequestGauge
    let logger: Logger

    func services(_ announcement: Announcement) -> [any Service] {
        var limits = ConnectionLimits()
        limits.connections = self.settings.capacity
        let files = FilesDoor.server(
            FilesDoor.Dependencies(
                files: self.files, gatekeeper: self.gatekeeper, standing: self.standing, gauge: self.gauge,
                trustedProxies: self.settings.trustedProxies),
            address: DoorAddress(host: self.settings.bind, port: self.settings.filesPort), limits: limits,
            logger: self.logger, onBound: { announcement.bound(files: $0) })
        let admin = AdminDoor.server(
            AdminDoor.Dependencies(
                gatekeeper: self.gatekeeper, desk: self.desk, transfers: self.transfers,
                members: self.members, leases: self.leases, feed: self.feed, standing: self.standing,
                cache: self.cache, gauge: self.gauge),
            address: DoorAddress(host: self.settings.bind, port: self.settings.adminPort),
            limits: ConnectionLimits(),
            logger: self.logger, onBound: { announcement.bound(admin: $0) })
        return [files, admin]
    }
}
