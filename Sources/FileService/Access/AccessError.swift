package import ClusterModel

/// Why nobody was let in.
package enum AccessError: Error, Sendable, Hashable {
    /// The same for an unknown account, a wrong password, a disabled account, an expired or revoked key.
    case denied
    /// This node cannot tell now: it lost its cluster, or its database does not answer.
    case notServing(reason: String, retryAfterSeconds: Int)
    /// Too many passwords wait to be checked.
    case tooBusy(retryAfterSeconds: Int)
}

/// What was wrong with what an administrator asked for.
package enum AccountDeskError: Error, Sendable, Hashable {
    case invalid(field: String, reason: String)
    /// An account has the name.
    case taken(AccountName)
    /// A folder with something in it stands where the home would be, and was not to be adopted.
    case homeExists(AccountName)
    /// No account, or no key, is called so.
    case unknown(String)
    /// Somebody changed it meanwhile; it has this revision now.
    case conflict(revision: Int64)
    case notServing(String)
}
