import ArgumentParser
import Foundation

/// How to reach a node's admin door; the same for each command.
struct AdminOptions: ParsableArguments {
    @Option(help: "Address of a node's admin door; else FLOTILLA_ADMIN, else http://127.0.0.1:8081.")
    var admin: String?

    @Option(help: "An admin token; else FLOTILLA_ADMIN_TOKEN, else the token file.")
    var token: String?

    @Option(help: "File with an admin token; else admin-token in the data folder of a standalone node.")
    var tokenFile: String?

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    /// What the options and the environment come to.
    func access(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws -> AdminAccess {
        let address = self.admin ?? environment["FLOTILLA_ADMIN"] ?? "http://127.0.0.1:8081"
        guard let url = URL(string: address), ["http", "https"].contains(url.scheme), url.host != nil else {
            throw ValidationError(
                "“\(address)” is no address of an admin door; it looks like http://127.0.0.1:8081")
        }
        return AdminAccess(
            base: address.hasSuffix("/") ? String(address.dropLast()) : address,
            token: try self.foundToken(environment))
    }

    private func foundToken(_ environment: [String: String]) throws -> String {
        if let token = self.token ?? environment["FLOTILLA_ADMIN_TOKEN"] { return token }
        let files =
            self.tokenFile.map { [$0] } ?? StateFolders.candidates(environment).map { $0 + "/admin-token" }
        for file in files {
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { continue }
            let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
            if !token.isEmpty { return token }
        }
        let places = files.joined(separator: " or ")
        throw ClientFailure(
            "no admin token: give --token or --token-file, set FLOTILLA_ADMIN_TOKEN, or make \(places) readable"
        )
    }
}

struct AdminAccess: Sendable, Equatable {
    var base: String
    var token: String
}

/// Where a node on this machine keeps its state.
enum StateFolders {
    /// The most likely first.
    static func candidates(_ environment: [String: String]) -> [String] {
        var folders = ["/var/lib/flotilla"]
        if let state = environment["XDG_STATE_HOME"], !state.isEmpty {
            folders.append(state + "/flotilla")
        } else if let home = environment["HOME"], !home.isEmpty {
            folders.append(home + "/.local/state/flotilla")
        }
        return folders
    }
}

/// Why a command failed, in one line; the exit code is 1.
struct ClientFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
