package import ClusterModel
package import ClusterPorts

/// Decides whether a change may go on, from what stands at its path.
package enum PreconditionRules {
    /// Whether an `If-Match` value names the tag; a weak tag never does (RFC 9110, 13.1.1).
    package static func matches(_ value: String, _ tag: String?) -> Bool {
        guard let tag else { return false }
        let trimmed = Self.trimmed(value[...])
        if trimmed == "*" { return true }
        return trimmed.split(separator: ",").contains { Self.trimmed($0) == tag }
    }

    /// What keeps an upload from its path; nil when nothing does.
    package static func objection(to path: HomePath, found: FileStatus?, options: PutOptions)
        -> FileServiceError?
    {
        switch found?.kind {
        case .folder: return .isFolder(path)
        case .link: return .forbiddenLink(path)
        case .other: return .exists(path)
        case .file, nil: break
        }
        if !options.replaces, let found { return .changed(entityTag: found.entityTag) }
        if let ifMatch = options.ifMatch, !Self.matches(ifMatch, found?.entityTag) {
            return .changed(entityTag: found?.entityTag)
        }
        return nil
    }

    /// What keeps a thing from being removed or moved away; nil when nothing does.
    package static func objection(toTaking path: HomePath, found: FileStatus?, ifMatch: String?)
        -> FileServiceError?
    {
        guard let found else { return ifMatch == nil ? .notFound(path) : .changed(entityTag: nil) }
        if found.kind == .link || found.kind == .other { return .forbiddenLink(path) }
        if let ifMatch, !Self.matches(ifMatch, found.entityTag) {
            return .changed(entityTag: found.entityTag)
        }
        return nil
    }

    /// What is wrong with the place that a new name gets; nil when it is a folder.
    package static func objection(toParent parent: HomePath, found: FileStatus?) -> FileServiceError? {
        switch found?.kind {
        case .folder: nil
        case .link: .forbiddenLink(parent)
        case .file, .other: .notAFolder(parent)
        case nil: .parentMissing(parent)
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var rest = text
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return rest
    }
}
