/// The tables through which every job goes, kept small (docs/QUEUE.md).
package protocol HotTables: Sendable {
    /// Writes those anew that have mostly dead rows and few living ones. Changes nothing that anybody
    /// can see, so whoever wants may ask, and two at once do no harm.
    ///
    /// Does nothing where somebody reads such a table, or it is in use for longer than some ten milliseconds.
    ///
    /// - Throws: ``StoreError``.
    func renewHotTables() async throws(StoreError) -> HotTablesLook
}

/// What was done to the hot tables, and what tells whether to look again.
package struct HotTablesLook: Sendable, Equatable {
    /// Tables that were written anew.
    package var renewed: Int
    /// Rows that ever were deleted from them, as the server's counters say: about a second behind, and only
    /// good to see that it goes up.
    package var deletions: Int64
    /// Something is ready, and nothing new need come for it to be claimed.
    package var hasBacklog: Bool

    package init(renewed: Int, deletions: Int64, hasBacklog: Bool) {
        self.renewed = renewed
        self.deletions = deletions
        self.hasBacklog = hasBacklog
    }
}
