/// What a child process is to run.
package struct ChildCommand: Sendable {
    /// An absolute path.
    package var executable: String
    /// What process lists show as its name; nil means the path.
    package var title: String?
    /// Without the program's own name.
    package var arguments: [String]
    package var environment: [String: String]
    /// The working folder; nil keeps ours.
    package var folder: String?
    /// Takes standard output and standard error; nil leaves them where ours go.
    package var output: BoundedLog?
    /// What the kernel sends to the child when this process dies.
    package var deathSignal: Int32
    /// Whom the child becomes; only root may ask for it.
    package var user: SystemUser?

    package init(
        executable: String, title: String? = nil, arguments: [String], environment: [String: String],
        folder: String? = nil,
        output: BoundedLog?, deathSignal: Int32, user: SystemUser? = nil
    ) {
        self.executable = executable
        self.title = title
        self.arguments = arguments
        self.environment = environment
        self.folder = folder
        self.output = output
        self.deathSignal = deathSignal
        self.user = user
    }
}
