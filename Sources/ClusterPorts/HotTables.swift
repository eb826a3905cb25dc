/// The tables through which every job goes, kept small (docs/QUEUE.md).
package protocol HotTables: Sendable {
    /// Writes those anew that have mostly dead rows and few living ones; answers how many. Changes nothing that anybody
    /// can see, so whoever wants may ask, and two at once do no harm.
    ///
    /// Does nothing where somebody reads such a table, or it is in use for longer than some ten milliseconds.
    ///
    /// - Throws: ``StoreError``.
    func renewHotTables() async throws(StoreError) -> Int
}
