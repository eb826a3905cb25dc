package import Foundation

/// Turns a status into lines of text.
package enum StatusTable {
    /// The table, at most `height` lines of at most `width` characters; rows that do not fit are counted.
    package static func lines(_ status: LocalClusterStatus, at now: Date, width: Int, height: Int) -> [String]
    {
        let head = [
            "files \(status.filesAddress)   admin \(status.adminAddress)   folder \(status.folder)",
            "admin token in \(LocalClusterFolder(root: status.folder).adminToken)",
            Self.columns("NAME", "PID", "STATE", "FILES", "ADMIN", "UPTIME", "RESTARTS", "LAST LINE"),
        ]
        let room = max(height - head.count - 1, 1)
        // When not all fit, what is not well is shown first.
        let hidden = status.rows.indices.sorted { Self.comesBefore(status.rows, $0, $1) }.dropFirst(room)
        let rows = status.rows.enumerated().filter { !hidden.contains($0.offset) }.map { _, row in
            Self.columns(
                row.name, row.pid.map { "\($0)" } ?? "-", row.state, row.filesPort.map { "\($0)" } ?? "-",
                row.adminPort.map { "\($0)" } ?? "-",
                row.startedAt.map { Self.uptime(since: $0, at: now) } ?? "-",
                "\(row.restarts)", Self.plain(row.lastLine ?? ""))
        }
        let more = hidden.isEmpty ? [] : ["… and \(hidden.count) more: flotilla cluster status"]
        return (head + rows + more).map { Self.cut($0, to: width) }
    }

    /// One line for each row that is new, gone or in another state.
    package static func changes(from old: LocalClusterStatus?, to new: LocalClusterStatus) -> [String] {
        let before = Dictionary((old?.rows ?? []).map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let names = Set(new.rows.map(\.name))
        let gone = (old?.rows ?? []).filter { !names.contains($0.name) }.map { "\($0.name) is gone" }
        let changed = new.rows.filter { before[$0.name]?.state != $0.state }.map { row in
            let pid = row.pid.map { ", process \($0)" } ?? ""
            let words = row.state.hasPrefix("refused") ? ": " + Self.plain(row.lastLine ?? "") : ""
            return "\(row.name) is \(row.state)\(pid)\(words)"
        }
        return gone + changed
    }

    private static func comesBefore(_ rows: [LocalClusterStatus.Row], _ one: Int, _ other: Int) -> Bool {
        let (isWell, otherIsWell) = (rows[one].state == "ready", rows[other].state == "ready")
        return isWell == otherIsWell ? one < other : otherIsWell
    }

    /// `3s`, `2m05s`, `1h02m`, `3d04h`.
    static func uptime(since start: Date, at now: Date) -> String {
        let seconds = max(Int(now.timeIntervalSince(start)), 0)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return switch seconds {
        case ..<60: "\(seconds)s"
        case ..<3600: "\(seconds / 60)m\(two(seconds % 60))s"
        case ..<86_400: "\(seconds / 3600)h\(two(seconds / 60 % 60))m"
        default: "\(seconds / 86_400)d\(two(seconds / 3600 % 24))h"
        }
    }

    /// A child's own words must not move the cursor.
    static func plain(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) })
    }

    private static func columns(_ cells: String...) -> String {
        let widths = [10, 8, 22, 6, 6, 8, 9]
        let padded = zip(cells, widths).map { cell, width in
            cell + String(repeating: " ", count: max(width - cell.count, 1))
        }
        return (padded.joined() + cells.dropFirst(widths.count).joined(separator: " "))
            .trimmingCharacters(in: .whitespaces)
    }

    private static func cut(_ line: String, to width: Int) -> String {
        line.count <= width ? line : line.prefix(max(width - 1, 0)) + "…"
    }
}
