import Foundation

/// Looks how the folder of the mount is mounted; once, at the start of a node.
package enum MountCheck {
    /// What is wrong with it; nothing when the kernel does not tell.
    package static func objections(to root: String) -> [MountOptions.Objection] {
        guard let table = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) else {
            return []
        }
        let path = URL(filePath: root).resolvingSymlinksInPath().path
        return MountOptions(of: path, in: table)?.objections ?? []
    }
}
