import BalancerAgent
import ClusterRuntime
import EmbeddedPostgres
import HTTPDoor

/// An error that is a clear line for the person at the terminal, with an exit code after sysexits.h.
package protocol ExplainedError: Error, CustomStringConvertible {
    var exitCode: Int32 { get }
}

/// A start that cannot go on, explained in one line.
package struct StartError: ExplainedError {
    package var description: String
    package var exitCode: Int32
}

extension RuntimeError: ExplainedError {}

extension EmbeddedPostgresError: ExplainedError {
    package var exitCode: Int32 {
        switch self {
        case .notInstalled, .versionMissing, .inUse, .orphanStays, .notReady, .stopped: 69
        case .unknownUser, .userWithoutName: 67
        case .runningAsRoot, .cannotBecome, .untraversable: 77
        case .badFolder, .initialisationFailed: 73
        case .doesNotStart, .unexpected: 70
        }
    }
}

extension DoorError: ExplainedError {
    package var exitCode: Int32 { 69 }
}

extension AgentDoorError: ExplainedError {
    package var exitCode: Int32 { 69 }
}

extension LocalClusterError: ExplainedError {
    package var exitCode: Int32 {
        switch self {
        case .tooMany: 64
        case .alreadyRunning, .notRunning, .noFreePorts: 69
        case .noUsableFolder: 73
        case .balancerRefuses: 70
        case .refused, .notReached: 75
        }
    }
}
