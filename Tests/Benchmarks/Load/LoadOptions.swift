import ArgumentParser

/// How many tasks a load has, and for how long it runs.
struct LoadOptions: ParsableArguments {
    @Option(help: "Tasks that ask at the same time.")
    var tasks = 64

    @Option(help: "Seconds that are measured.")
    var seconds = 3.0

    @Option(help: "Seconds before, under the same load, that are not measured.")
    var warmUp = 0.3

    @Flag(help: "Run the tasks on the thread of the driver's loop, where the answers arrive.")
    var onLoop = false

    func validate() throws {
        guard (1...100_000).contains(self.tasks) else {
            throw ValidationError("--tasks \(self.tasks): write a number from 1 to 100000")
        }
        guard (0.01...3600).contains(self.seconds), (0...60).contains(self.warmUp) else {
            throw ValidationError("--seconds from 0.01 to 3600, --warm-up from 0 to 60")
        }
    }
}
