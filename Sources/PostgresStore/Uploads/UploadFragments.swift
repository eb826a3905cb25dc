import ClusterModel
import ClusterPorts
import PostgresDriver

extension Fragments {
    /// Rule R3 for the end of an upload: ``me(_:)`` has a row only while the upload is open, whole, durable, and this
    /// title's; its row is locked, so that nobody takes, aborts or decides it meanwhile.
    static func me(_ right: NodeRight, finishing title: UploadTitle) -> PostgresStatement {
        """
        living as materialized (
            select incarnation from flotilla.member
            where slot = \(right.slot.rawValue) and incarnation = \(right.incarnation.rawValue)
              and status in ('active', 'draining')
            for key share
        ), me as materialized (
            select u.incarnation from flotilla.upload u
            where u.id = \(title.upload.rawValue) and u.epoch = \(title.epoch.rawValue)
              and u.incarnation = \(right.incarnation.rawValue) and u.status = 'open' and u.durable = u.length
              and exists (select from living)
            for no key update
        )
        """
    }

    /// Makes the upload decided together with what the CTE `decided` has rows of.
    static func decided(_ title: UploadTitle) -> PostgresStatement {
        """
        upload_decided as (
            update flotilla.upload u set status = 'decided', changed_at = clock_timestamp()
            where u.id = \(title.upload.rawValue) and exists (select from decided)
        )
        """
    }
}
