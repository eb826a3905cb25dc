import Glibc

/// Reads a password: a line of standard input, or typed at a terminal that does not show it.
enum PasswordPrompt {
    /// - Parameter fromInput: Take a line of standard input whatever it is connected to.
    static func read(fromInput: Bool) throws -> String {
        if fromInput || isatty(STDIN_FILENO) == 0 {
            guard let line = readLine() else { throw ClientFailure("no password on standard input") }
            return try Self.checked(line)
        }
        let first = try Self.typed("Password: ")
        guard first == (try Self.typed("Again: ")) else { throw ClientFailure("the two passwords differ") }
        return try Self.checked(first)
    }

    /// Bytes that are not UTF-8 were replaced while reading: nobody could log in with what was typed.
    private static func checked(_ password: String) throws -> String {
        guard !password.unicodeScalars.contains("\u{FFFD}") else {
            throw ClientFailure("the password is not UTF-8")
        }
        return password
    }

    private static func typed(_ prompt: String) throws -> String {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else {
            throw ClientFailure("the terminal cannot hide a password")
        }
        var hidden = before
        hidden.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            print("", terminator: "\n")
        }
        print(prompt, terminator: "")
        // Not flushed by print when no newline follows.
        fflush(nil)
        guard let line = readLine() else { throw ClientFailure("no password was typed") }
        return line
    }
}
