import ArgumentParser
import Foundation
import HTTPDoor
import NIOCore

/// Prints what a command found, and turns failures into one line and exit code 1.
enum CommandOutput {
    static func json(_ value: some Encodable) { print(String(buffer: JSONText.buffer(value))) }

    static func reporting(_ work: () async throws -> Void) async throws {
        do {
            try await work()
        } catch let failure as ClientFailure {
            FileHandle.standardError.write(Data("flotilla: \(failure.description)\n".utf8))
            throw ExitCode(1)
        }
    }
}
