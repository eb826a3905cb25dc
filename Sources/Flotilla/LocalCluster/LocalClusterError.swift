/// Why a local cluster cannot be started or changed; each text is one line and names what to do.
package enum LocalClusterError: Error, Equatable, CustomStringConvertible {
    case tooMany(Int)
    case alreadyRunning(folder: String, pid: Int32?)
    case notRunning(folder: String)
    case noUsableFolder(tried: [String])
    case noFreePorts(from: Int)
    case balancerRefuses(String, configuration: String)
    case refused(worker: String, words: String)
    case notReached(workers: Int, within: Duration)

    package var description: String {
        switch self {
        case .tooMany(let count):
            "a local cluster has 0 to \(LocalClusterOptions.workersMax) workers, not \(count)"
        case .alreadyRunning(let folder, let pid):
            "a local cluster is already running in \(folder)" + (pid.map { " (process \($0))" } ?? "")
                + ": use `flotilla cluster scale`, or another --data"
        case .notRunning(let folder):
            "no local cluster is running in \(folder): start one with `flotilla cluster up`"
        case .noUsableFolder(let tried):
            "cannot make a folder for the cluster (tried \(tried.joined(separator: ", "))): name one with --data"
        case .noFreePorts(let first): "no free range of ports from \(first) on: choose another --port"
        case .balancerRefuses(let words, let file): "HAProxy refuses \(file): \(words)"
        case .refused(let worker, let words): "\(worker) refuses to run: \(words)"
        case .notReached(let workers, let limit):
            "the cluster did not come to \(workers) ready workers within \(limit): see `flotilla cluster status`"
        }
    }
}
