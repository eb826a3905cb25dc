import ClusterPorts
import HTTPDoor
import HTTPTypes

/// What the store's refusals mean in HTTP.
extension AdminResponder {
    func onStore<Value>(_ call: () async throws(StoreError) -> Value) async throws(Problem) -> Value {
        do {
            return try await call()
        } catch {
            switch error {
            case .notRun, .mayHaveRun: throw AdminProblems.notServing(error.description)
            case .refused, .corrupt: throw Problem(.internalServerError, .failed, error.description)
            }
        }
    }
}
