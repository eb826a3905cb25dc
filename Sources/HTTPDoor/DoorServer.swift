import Glibc
import HTTPTypes
package import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
package import ServiceLifecycle
import Synchronization

/// Where a door listens.
package struct DoorAddress: Sendable, Hashable, CustomStringConvertible {
    package var host: String
    /// 0 takes a free one.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String { "\(self.host):\(self.port)" }
}

package enum DoorError: Error, CustomStringConvertible {
    /// Nothing was served at all.
    case cannotListen(DoorAddress, reason: String)

    package var description: String {
        switch self {
        case .cannotListen(let address, let reason): "cannot listen on \(address): \(reason)"
        }
    }
}

/// Listens and answers until it is told to stop; then running requests are finished first.
///
/// It listens from the start, before the node is a member: until then what is behind it answers 503.
package struct DoorServer<Responder: HTTPResponder>: Service where Responder.Context == DoorContext {
    let responder: Responder
    let address: DoorAddress
    let limits: ConnectionLimits
    let services: [any Service]
    let logger: Logger
    let onBound: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - services: Run as long as the server does.
    ///   - onBound: Gets the port that is really listened on.
    package init(
        responder: Responder, address: DoorAddress, limits: ConnectionLimits, services: [any Service],
        logger: Logger,
        onBound: @escaping @Sendable (Int) async -> Void
    ) {
        self.responder = responder
        self.address = address
        self.limits = limits
        self.services = services
        self.logger = logger
        self.onBound = onBound
    }

    package func run() async throws {
        let isBound = Flag()
        do {
            try await self.serve { isBound.raise() }
        } catch let error as IOError where !isBound.isRaised {
            throw DoorError.cannotListen(self.address, reason: String(cString: strerror(error.errnoCode)))
        } catch let error as SocketAddressError where !isBound.isRaised {
            throw DoorError.cannotListen(self.address, reason: "\(error)")
        }
    }

    /// Those of one connection, from the network's side to the framework's.
    private static func handlers(
        _ limits: ConnectionLimits, _ gauge: ConnectionGauge
    ) -> [any RemovableChannelHandler] {
        let progress = ConnectionProgress()
        return [
            RegionWriter(), ConnectionGuard(limits: limits, gauge: gauge, progress: progress), HeadHold(),
            PatienceGuard(limits: limits, progress: progress),
        ]
    }

    private func serve(bound: @escaping @Sendable () -> Void) async throws {
        let gauge = ConnectionGauge(limit: self.limits.connections)
        let limits = self.limits
        let onBound = self.onBound
        let ready = self.responder as? any ReadyResponder
        var quiet = self.logger
        // Where it listens is announced once, by the node.
        if quiet.logLevel == .info { quiet.logLevel = .notice }
        let application = Application(
            responder: self.responder,
            server: HTTPServerBuilder { responder in
                LoopBoundChannel(
                    HTTP1Channel(
                        responder: responder,
                        configuration: .init(
                            additionalChannelHandlers: Self.handlers(limits, gauge),
                            // The guards see to that.
                            idleTimeout: nil)),
                    ready: ready)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(self.address.host, port: self.address.port), serverName: "flotilla",
                backlog: 512,
                // Above this even a 503 costs too much: connections wait in the backlog.
                availableConnectionsDelegate: MaximumAvailableConnections(
                    limits.connections + limits.connections / 4 + 16, logger: self.logger)),
            services: self.services,
            onServerRunning: { channel in
                bound()
                await onBound(channel.localAddress?.port ?? 0)
            },
            logger: quiet)
        try await application.run()
    }
}

/// Once raised, it stays so.
private final class Flag: Sendable {
    private let raised = Atomic(false)

    var isRaised: Bool { self.raised.load(ordering: .relaxed) }
    func raise() { self.raised.store(true, ordering: .relaxed) }
}
