import ClusterPorts
import Testing

/// A handle cannot be copied into an expectation.
extension Lease {
    borrowing func expectHeld(_ expected: Bool, _ location: SourceLocation = #_sourceLocation) {
        let isHeld = self.isHeld
        #expect(isHeld == expected, sourceLocation: location)
    }

    consuming func expectCompleted(_ expected: Bool, _ location: SourceLocation = #_sourceLocation)
        async throws
    {
        let held = try await self.complete()
        #expect(held == expected, sourceLocation: location)
    }
}
