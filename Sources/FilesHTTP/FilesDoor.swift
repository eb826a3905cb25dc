package import ClusterPorts
package import FileService
package import HTTPDoor
package import Logging
package import ServiceLifecycle

/// The front door for clients: `/files/…`, `/uploads/…`, `/health/…`, and `/web/` for people.
package enum FilesDoor {
    /// What the door needs of the node.
    package struct Dependencies: Sendable {
        package var files: FileService
        /// Has to run as long as the door does.
        package var uploads: UploadService
        package var gatekeeper: Gatekeeper
        package var standing: any NodeStanding
        package var gauge: RequestGauge
        /// Addresses of proxies whose `X-Forwarded-For` is believed; `*` believes every peer's.
        package var trustedProxies: Set<String>
        /// With so many requests in hand at the node, more are refused; nil for any number.
        package var requestsMax: Int?
        /// The same for those of one account.
        package var accountRequestsMax: Int?

        package init(
            files: FileService, uploads: UploadService, gatekeeper: Gatekeeper,
            standing: any NodeStanding, gauge: RequestGauge, trustedProxies: Set<String> = [],
            requestsMax: Int? = nil, accountRequestsMax: Int? = nil
        ) {
            self.requestsMax = requestsMax
            self.accountRequestsMax = accountRequestsMax
            self.files = files
            self.uploads = uploads
            self.gatekeeper = gatekeeper
            self.standing = standing
            self.gauge = gauge
            self.trustedProxies = trustedProxies
        }
    }

    /// A service that listens until it is told to stop.
    ///
    /// - Parameter onBound: Gets the port that is really listened on.
    package static func server(
        _ needs: Dependencies, address: DoorAddress, limits: ConnectionLimits, logger: Logger,
        onBound: @escaping @Sendable (Int) async -> Void
    ) -> any Service {
        let dropped = DroppedDownloads()
        let responder = FilesResponder(
            files: needs.files, uploads: needs.uploads, gatekeeper: needs.gatekeeper, gauge: needs.gauge,
            accounts: AccountGauge(limit: needs.accountRequestsMax), trustedProxies: needs.trustedProxies,
            dropped: dropped)
        return DoorServer(
            responder: Door(
                PageResponder(files: responder), standing: needs.standing, gauge: needs.gauge,
                requestsMax: needs.requestsMax),
            address: address, limits: limits,
            services: [dropped], logger: logger, onBound: onBound)
    }
}
