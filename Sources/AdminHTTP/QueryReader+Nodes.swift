import ClusterModel
import HTTPDoor

extension QueryReader {
    /// The filter by incarnation, the same in each list.
    mutating func incarnation() throws(Problem) -> Incarnation? {
        try self.value("incarnation", "an incarnation's number") {
            Int64($0).flatMap { Incarnation(rawValue: $0) }
        }
    }
}
