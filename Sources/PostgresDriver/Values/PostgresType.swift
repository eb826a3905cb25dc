/// A type of the server, by the number that its catalogue gives it.
package struct PostgresType: RawRepresentable, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    private init(_ rawValue: UInt32) { self.rawValue = rawValue }

    package static let bool = PostgresType(16)
    package static let bytea = PostgresType(17)
    package static let int8 = PostgresType(20)
    package static let int2 = PostgresType(21)
    package static let int4 = PostgresType(23)
    package static let text = PostgresType(25)
    package static let oid = PostgresType(26)
    package static let json = PostgresType(114)
    package static let float4 = PostgresType(700)
    package static let float8 = PostgresType(701)
    package static let date = PostgresType(1082)
    package static let timestamp = PostgresType(1114)
    package static let timestamptz = PostgresType(1184)
    package static let numeric = PostgresType(1700)
    package static let uuid = PostgresType(2950)
    package static let jsonb = PostgresType(3802)

    package static let boolArray = PostgresType(1000)
    package static let byteaArray = PostgresType(1001)
    package static let int2Array = PostgresType(1005)
    package static let int4Array = PostgresType(1007)
    package static let textArray = PostgresType(1009)
    package static let int8Array = PostgresType(1016)
    package static let float4Array = PostgresType(1021)
    package static let float8Array = PostgresType(1022)
    package static let timestampArray = PostgresType(1115)
    package static let dateArray = PostgresType(1182)
    package static let timestamptzArray = PostgresType(1185)
    package static let numericArray = PostgresType(1231)
    package static let uuidArray = PostgresType(2951)
    package static let jsonbArray = PostgresType(3807)

    /// Whether the binary form is the text itself.
    ///
    /// So it is for a few types of the server's own, and for the enumerations and most others that somebody
    /// made (their numbers begin at 16384). All else would read as nonsense.
    var isText: Bool { self.rawValue >= 16_384 || Self.texts.contains(self) }

    /// "char", name, text, json, xml, unknown, bpchar, varchar, refcursor, cstring, void.
    private static let texts = Set(
        [18, 19, 25, 114, 142, 705, 1042, 1043, 1790, 2275, 2278].map { PostgresType($0) })
}
