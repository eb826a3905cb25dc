import Foundation
import Glibc

/// What this process has used so far.
struct ProcessUsage {
    /// User and system time.
    let cpuSeconds: Double

    static var now: ProcessUsage {
        var usage = rusage()
        getrusage(numericCast(RUSAGE_SELF.rawValue), &usage)
        return ProcessUsage(cpuSeconds: Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime))
    }

    /// Memory that is in RAM now, in bytes; 0 where /proc does not say.
    static var residentBytes: Int {
        let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        guard let fields, fields.count > 1, let pages = Int(fields[1]) else { return 0 }
        return pages * sysconf(CInt(_SC_PAGESIZE))
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000
    }
}
