/// A moment on this node's own steady clock, in nanoseconds since an arbitrary start.
///
/// Never compared with another node's, never sent anywhere. The clock goes on while the machine sleeps.
package struct ClusterInstant: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static let zero = ClusterInstant(nanoseconds: 0)

    package func advanced(by duration: Duration) -> ClusterInstant {
        ClusterInstant(nanoseconds: self.nanoseconds + duration.wholeNanoseconds)
    }

    /// How long it is from `earlier` to here; negative when `earlier` is later.
    package func since(_ earlier: ClusterInstant) -> Duration {
        .nanoseconds(self.nanoseconds - earlier.nanoseconds)
    }

    package static func < (left: ClusterInstant, right: ClusterInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
    package var description: String { "\(self.nanoseconds / 1_000_000)ms" }
}

extension Duration {
    /// Rounded towards zero; durations of this program are far below the 292 years that fit.
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = self.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    package var wholeMilliseconds: Int64 { self.wholeNanoseconds / 1_000_000 }
}
