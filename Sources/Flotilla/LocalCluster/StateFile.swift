import Foundation

/// Small JSON files that are replaced as a whole.
enum StateFile {
    static func write(_ value: some Encodable, to path: String) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(date.formatted(Self.time))
        }
        try encoder.encode(value).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    static func write(text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// Nil when the file is missing or not what was expected.
    static func read<Value: Decodable>(_ type: Value.Type, from path: String) -> Value? {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.dateDecodingStrategy = .custom { decoder in
            try Date(decoder.singleValueContainer().decode(String.self), strategy: Self.time)
        }
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return try? decoder.decode(type, from: data)
    }

    private static var time: Date.ISO8601FormatStyle { .init(includingFractionalSeconds: true) }
}

/// How many workers somebody asked for while the cluster runs.
struct ScaleWish: Codable {
    var workers: Int

    /// Nil when nobody asked, or for something impossible.
    static func read(from path: String) -> ScaleWish? {
        guard let wish = StateFile.read(Self.self, from: path) else { return nil }
        return (0...LocalClusterOptions.workersMax).contains(wish.workers) ? wish : nil
    }
}
