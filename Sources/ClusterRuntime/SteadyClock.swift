package import ClusterModel
import Glibc

/// This node's own clock: never set, and going on while the machine sleeps (CLOCK_BOOTTIME).
package enum SteadyClock {
    package static func now() -> ClusterInstant {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return ClusterInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
