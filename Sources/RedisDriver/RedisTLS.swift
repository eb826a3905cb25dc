import CHiredis

/// How the server of a `rediss://` address is believed, and how this side shows who it is.
package struct RedisTLS: Sendable, Equatable {
    /// A PEM file of authorities; nil means those that the machine trusts.
    package var authorityFile: String?
    /// PEM files for servers that ask their clients for a certificate; both or none.
    package var certificateFile: String?
    package var keyFile: String?

    package init(authorityFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
        self.authorityFile = authorityFile
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }

    /// What this machine lacks for TLS, a library or a function of one; nil when TLS can be used.
    package static let missing: String? = {
        var functions = flotilla_tls_functions()
        return unsafe flotilla_tls_load(&functions).map { unsafe String(cString: $0) }
    }()
}

/// Files and library of one TLS set-up, read; many sessions may begin from it, on any thread.
///
/// Made anew for each connection, so that renewed certificates are used.
@safe final class TLSContext: Sendable {
    let functions: flotilla_tls_functions
    nonisolated(unsafe) let context: UnsafeMutableRawPointer

    /// Reads the files, so not on the loop's thread.
    init(_ tls: RedisTLS) throws(RedisError) {
        var functions = flotilla_tls_functions()
        if let missing = unsafe flotilla_tls_load(&functions) {
            throw .unavailable("TLS needs \(unsafe String(cString: missing)), which is not there")
        }
        var why: UnsafePointer<CChar>?
        // The text of `why` may be one of the three, so it is copied while they are there.
        let made = unsafe tls.withPaths { authority, certificate, key in
            let context = unsafe flotilla_tls_context(&functions, authority, certificate, key, &why)
            return unsafe (context, why.map { unsafe String(cString: $0) })
        }
        guard let context = unsafe made.0 else {
            throw .unavailable("TLS cannot use \(unsafe made.1 ?? "its files")")
        }
        self.functions = functions
        unsafe self.context = context
    }

    deinit {
        unsafe self.functions.context_free(self.context)
    }
}

extension RedisTLS {
    fileprivate func withPaths<Result>(
        _ body: (UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?) -> Result
    ) -> Result {
        func with(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
            guard let text else { return body(nil) }
            return unsafe text.withCString { unsafe body($0) }
        }
        return unsafe with(self.authorityFile) { authority in
            unsafe with(self.certificateFile) { certificate in
                unsafe with(self.keyFile) { key in unsafe body(authority, certificate, key) }
            }
        }
    }
}
