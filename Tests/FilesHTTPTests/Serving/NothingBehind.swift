import HTTPDoor
import Hummingbird

/// A door that leads nowhere.
struct NothingBehind: DoorService {
    func answer(_ request: Request, to target: RequestTarget, context: DoorContext) async throws -> Response {
        throw Problem.noRoute("/")
    }
}
