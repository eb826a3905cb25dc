// swift-tools-version: 6.2
import PackageDescription

// docs/STYLE.md gives the reason for each setting.
let ours: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]
/// The rooms that touch C memory say so at each place.
let bridging: [SwiftSetting] = ours + [.strictMemorySafety()]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTPTypes: Target.Dependency = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1: Target.Dependency = .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let systemPackage: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

// A folder is a room with one job; docs/ARCHITECTURE.md says which, and what each may import.
let package = Package(
    name: "flotilla",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "flotilla", targets: ["Flotilla"]),
        .executable(name: "flotilla-benchmarks", targets: ["Benchmarks"]),
        .executable(name: "flotilla-leak-check", targets: ["LeakCheck"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.6.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Words and decisions: values and functions only.
        .target(name: "ClusterModel", swiftSettings: ours),
        .target(name: "Coordinator", dependencies: ["ClusterModel"], swiftSettings: ours),
        .target(name: "ClusterPorts", dependencies: ["ClusterModel", nioCore], swiftSettings: ours),

        // The simulation of a whole cluster, around the same decisions.
        .target(
            name: "Simulator", dependencies: ["ClusterModel", "Coordinator", "ClusterPorts"],
            swiftSettings: ours),

        // Performing.
        .target(
            name: "ClusterRuntime",
            dependencies: ["ClusterModel", "Coordinator", "ClusterPorts", lifecycle, logging],
            swiftSettings: ours),
        .target(
            name: "FileService",
            dependencies: [
                "ClusterModel", "ClusterPorts", crypto, cryptoExtras, deque, lifecycle, logging, nioCore,
                nioPosix,
            ],
            swiftSettings: ours),

        .target(
            name: "WorkService",
            dependencies: [
                "ClusterModel", "ClusterPorts", asyncHTTPClient, crypto, lifecycle, logging, nioCore,
                nioHTTP1,
            ],
            swiftSettings: ours),

        // C bridges; they know nothing of Flotilla.
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CHiredis", pkgConfig: "hiredis", providers: [.apt(["libhiredis-dev"])]),
        .target(name: "CSendCork"),
        .target(name: "CLinux"),
        .target(name: "ReadinessLoop", dependencies: ["CLinux"], swiftSettings: bridging),
        .target(
            name: "PostgresDriver",
            dependencies: ["CLibPQ", "CSendCork", "ReadinessLoop", deque, lifecycle, logging],
            swiftSettings: bridging),
        .target(
            name: "RedisDriver", dependencies: ["CHiredis", "ReadinessLoop", deque, lifecycle, logging],
            swiftSettings: bridging),

        // Adapters of the ports.
        .target(
            name: "PostgresStore",
            dependencies: ["ClusterModel", "ClusterPorts", "PostgresDriver", deque, lifecycle, logging],
            resources: [.embedInCode("Migrations")],
            swiftSettings: ours),
        .target(
            name: "RedisCache",
            dependencies: ["ClusterModel", "ClusterPorts", "RedisDriver", crypto, lifecycle, logging],
            swiftSettings: ours),
        .target(
            name: "SharedMount",
            dependencies: ["ClusterModel", "ClusterPorts", "CLinux", crypto, logging, nioCore],
            swiftSettings: bridging),
        .target(
            name: "EmbeddedPostgres", dependencies: ["CLinux", lifecycle, logging], swiftSettings: ours),

        // What balancers are told.
        .target(
            name: "BalancerAgent",
            dependencies: [
                "ClusterModel", "ClusterPorts", "Coordinator", lifecycle, logging, nioCore, nioPosix,
            ],
            swiftSettings: ours),

        // Front doors, and what they have in common.
        .target(
            name: "HTTPDoor",
            dependencies: [
                "ClusterModel", "ClusterPorts", httpTypes, hummingbird, lifecycle, logging, nioCore,
                nioHTTP1, nioHTTPTypes, nioHTTPTypesHTTP1,
            ],
            swiftSettings: ours),
        .target(
            name: "FilesHTTP",
            dependencies: [
                "ClusterModel", "ClusterPorts", "FileService", "HTTPDoor", crypto, httpTypes, hummingbird,
                lifecycle, logging, nioCore, nioHTTPTypes,
            ],
            resources: [.embedInCode("Web/Assets")],
            swiftSettings: ours),
        .target(
            name: "AdminHTTP",
            dependencies: [
                "ClusterModel", "ClusterPorts", "FileService", "HTTPDoor", crypto, httpTypes, hummingbird,
                lifecycle,
                logging, nioCore,
            ],
            resources: [.embedInCode("Resources")],
            swiftSettings: ours),

        // The only room that knows every other.
        .executableTarget(
            name: "Flotilla",
            dependencies: [
                "ClusterModel", "ClusterPorts", "Coordinator", "ClusterRuntime", "PostgresDriver",
                "RedisDriver",
                "PostgresStore", "ReadinessLoop", "RedisCache", "EmbeddedPostgres", "SharedMount",
                "FileService", "WorkService",
                "FilesHTTP", "AdminHTTP", "HTTPDoor", "BalancerAgent", "Simulator", "CLinux", argumentParser,
                asyncHTTPClient,
                configuration, crypto,
                hummingbird, lifecycle, logging, nioCore, nioHTTP1, nioPosix, systemPackage, unixSignals,
                yams,
            ],
            swiftSettings: ours),

        // Tests. The servers that they need are started by deploy/scripts/test.sh.
        .target(
            name: "ClusterTestKit",
            dependencies: [
                "ClusterModel", "ClusterPorts", "PostgresDriver", "PostgresStore", "ReadinessLoop", logging,
            ],
            swiftSettings: ours),
        .testTarget(
            name: "CoordinatorTests", dependencies: ["Coordinator", "ClusterModel"], swiftSettings: ours),
        .testTarget(
            name: "SimulatorTests",
            dependencies: [
                "Simulator", "Coordinator", "ClusterTestKit", "PostgresStore", "PostgresDriver",
                "ClusterPorts",
                "ClusterModel",
            ],
            resources: [.copy("Scenarios")],
            swiftSettings: ours),
        .testTarget(
            name: "ClusterRuntimeTests",
            dependencies: [
                "ClusterRuntime", "Coordinator", "ClusterTestKit", "SharedMount", "PostgresStore",
                "ClusterPorts",
                "ClusterModel", lifecycle, logging,
            ],
            swiftSettings: ours),
        .testTarget(
            name: "PostgresDriverTests",
            dependencies: ["CSendCork", "PostgresDriver", "ReadinessLoop", logging],
            swiftSettings: ours),
        .testTarget(
            name: "RedisDriverTests", dependencies: ["RedisDriver", "ReadinessLoop", logging],
            swiftSettings: ours),
        .testTarget(
            name: "PostgresStoreTests",
            dependencies: [
                "PostgresStore", "PostgresDriver", "ClusterTestKit", "ClusterPorts", "ClusterModel", logging,
            ],
            swiftSettings: ours),
        .testTarget(
            name: "RedisCacheTests",
            dependencies: [
                "RedisCache", "RedisDriver", "ReadinessLoop", "ClusterPorts", "ClusterModel", logging,
            ],
            swiftSettings: ours),
        .testTarget(
            name: "SharedMountTests",
            dependencies: ["SharedMount", "ClusterPorts", "ClusterModel", crypto, logging, nioCore],
            swiftSettings: ours),
        .testTarget(
            name: "EmbeddedPostgresTests", dependencies: ["EmbeddedPostgres", logging], swiftSettings: ours),
        .testTarget(
            name: "FileServiceTests",
            dependencies: [
                "FileService", "WorkService", "SharedMount", "ClusterTestKit", "PostgresStore",
                "PostgresDriver", "ClusterPorts", "ClusterModel", crypto, lifecycle, logging, nioCore,
            ],
            swiftSettings: ours),
        .testTarget(
            name: "WorkServiceTests",
            dependencies: [
                "WorkService", "ClusterTestKit", "SharedMount", "PostgresStore", "PostgresDriver",
                "ClusterPorts",
                "ClusterModel", logging, nioCore, nioPosix,
            ],
            swiftSettings: ours),
        // A node's doors over real servers, for the tests of both doors.
        .target(
            name: "DoorTestKit",
            dependencies: [
                "ClusterModel", "ClusterPorts", "ClusterTestKit", "PostgresStore", "SharedMount",
                "FileService", "HTTPDoor",
                "FilesHTTP", "AdminHTTP", asyncHTTPClient, lifecycle, logging, nioCore, nioHTTP1, nioPosix,
            ],
            path: "Tests/DoorTestKit",
            swiftSettings: ours),
        .testTarget(
            name: "HTTPDoorTests",
            dependencies: ["HTTPDoor", "ClusterModel", "ClusterPorts", httpTypes, nioCore],
            swiftSettings: ours),
        .testTarget(
            name: "FilesHTTPTests",
            dependencies: [
                "FilesHTTP", "HTTPDoor", "DoorTestKit", "ClusterTestKit", "FileService", "ClusterPorts",
                "ClusterModel",
                crypto, httpTypes, hummingbird, lifecycle, logging, nioCore,
            ],
            swiftSettings: ours),
        .testTarget(
            name: "AdminHTTPTests",
            dependencies: [
                "AdminHTTP", "HTTPDoor", "DoorTestKit", "ClusterTestKit", "FileService", "PostgresStore",
                "PostgresDriver", "ClusterPorts", "ClusterModel", httpTypes, nioCore,
            ],
            swiftSettings: ours),
        .testTarget(
            name: "BalancerAgentTests",
            dependencies: [
                "BalancerAgent", "DoorTestKit", "ClusterTestKit", "HTTPDoor", "ClusterModel", lifecycle,
                logging, nioCore, nioPosix,
            ],
            swiftSettings: ours),
        .testTarget(
            name: "FlotillaTests",
            dependencies: ["Flotilla", "EmbeddedPostgres", "ClusterModel", "ClusterPorts", logging],
            swiftSettings: ours),
        .testTarget(name: "TidyTests", swiftSettings: ours),

        // Programs for developers: the loads of `make bench`, and the proof that the drivers leak nothing.
        .executableTarget(
            name: "Benchmarks",
            dependencies: [
                "ClusterModel", "ClusterPorts", "ClusterRuntime", "ClusterTestKit", "Coordinator",
                "FileService",
                "PostgresDriver", "PostgresStore", "RedisCache", "RedisDriver", "ReadinessLoop",
                "SharedMount",
                argumentParser, lifecycle, logging, unixSignals,
            ],
            path: "Tests/Benchmarks",
            swiftSettings: ours),
        .systemLibrary(name: "CMalloc", path: "Tests/CMalloc"),
        .executableTarget(
            name: "LeakCheck",
            dependencies: [
                "CMalloc", "PostgresDriver", "RedisDriver", "ReadinessLoop", argumentParser, logging,
            ],
            path: "Tests/LeakCheck",
            swiftSettings: ours),
    ]
)
