/// Why the private PostgreSQL cannot run; each text is one line and names what to do.
package enum EmbeddedPostgresError: Error, Equatable, CustomStringConvertible {
    case notInstalled
    case versionMissing(folder: String, major: Int, installed: [Int])
    case runningAsRoot
    case unknownUser(String)
    case userWithoutName(id: UInt32)
    case cannotBecome(String)
    case badFolder(String, reason: String)
    case untraversable(String, user: String)
    case inUse(String, pid: Int32?)
    case initialisationFailed(reason: String, log: String)
    case doesNotStart(reason: String, log: String)
    case orphanStays(pid: Int32)
    case notReady(within: Duration)
    case stopped
    case unexpected(String)

    package var description: String {
        switch self {
        case .notInstalled:
            "PostgreSQL is not installed: install the package postgresql (apt-get install postgresql), "
                + "or name an external database with --database-url"
        case .versionMissing(let folder, let major, let installed):
            "the data in \(folder) is of PostgreSQL \(major), but only "
                + "\(installed.map { "\($0)" }.joined(separator: ", ")) is installed: install postgresql-\(major)"
        case .runningAsRoot:
            "PostgreSQL must not run as root: start Flotilla as another user, or configure one"
        case .unknownUser(let name): "there is no user named \(name) on this system"
        case .userWithoutName(let id):
            "user id \(id) has no name on this system, and PostgreSQL needs one: add it to /etc/passwd"
        case .cannotBecome(let name): "only root can run PostgreSQL as another user (\(name))"
        case .badFolder(let path, let reason): "cannot use the folder \(path): \(reason)"
        case .untraversable(let path, let user):
            "the user \(user) cannot enter \(path): allow it (chmod a+x), or choose another data folder"
        case .inUse(let folder, let pid):
            "the data folder \(folder) is in use by another Flotilla" + (pid.map { " (process \($0))" } ?? "")
        case .initialisationFailed(let reason, let log):
            "PostgreSQL's data folder could not be initialised: \(reason) (log: \(log))"
        case .doesNotStart(let reason, let log): "PostgreSQL does not start: \(reason) (log: \(log))"
        case .orphanStays(let pid):
            "a PostgreSQL of an earlier run (process \(pid)) does not end: stop it by hand"
        case .notReady(let limit): "PostgreSQL was not ready within \(limit)"
        case .stopped: "PostgreSQL was stopped"
        case .unexpected(let text): text
        }
    }
}
