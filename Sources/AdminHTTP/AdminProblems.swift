import ClusterModel
package import FileService
package import HTTPDoor
import HTTPTypes

/// What the errors of accounts and access mean in HTTP; docs/api/errors.md is the table.
package enum AdminProblems {
    package static func problem(_ error: AccountDeskError) -> Problem {
        switch error {
        case .invalid(let field, let reason): BodyFields.invalid(field, reason)
        case .taken(let name):
            Problem(.conflict, .taken, "there is an account “\(name)” already").with("name", name.description)
        case .homeExists(let name):
            Problem(
                .conflict, .exists,
                "there is a folder homes/\(name) already; with “adopt”: true the account gets what is in it"
            ).with("name", name.description)
        case .unknown(let name): Self.unknown("account or key", name)
        case .conflict(let revision):
            Problem(
                .preconditionFailed, .changed,
                "the account has the entity tag \(AccountTag.text(revision)) now"
            )
            .with(header: .eTag, AccountTag.text(revision))
        case .notServing(let reason): Self.notServing(reason)
        }
    }

    package static func problem(_ error: AccessError) -> Problem {
        switch error {
        case .denied:
            Problem(.unauthorized, .unauthorized, "the bearer token is missing, not valid or expired")
                .with(header: .wwwAuthenticate, #"Bearer realm="Flotilla""#)
        case .notServing(let reason, let seconds):
            Problem(.serviceUnavailable, .notServing, reason).retrying(after: seconds)
        case .tooBusy(let seconds):
            Problem(.tooManyRequests, .tooManyAttempts, "the node checks as many tokens as it can")
                .retrying(after: seconds)
        }
    }

    package static func notServing(_ reason: String) -> Problem {
        Problem(.serviceUnavailable, .notServing, reason).retrying(after: 1)
    }

    package static func unknown(_ what: String, _ name: String) -> Problem {
        Problem(.notFound, .notFound, "there is no \(what) “\(name)”").with("name", name)
    }
}
