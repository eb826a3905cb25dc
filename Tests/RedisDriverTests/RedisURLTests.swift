import RedisDriver
import Testing

@Suite struct RedisURLTests {
    @Test(arguments: [
        ("redis://cache", RedisURL(endpoint: .tcp(host: "cache", port: 6379))),
        ("REDIS://127.0.0.1:7000", RedisURL(endpoint: .tcp(host: "127.0.0.1", port: 7000))),
        ("redis://cache/3", RedisURL(endpoint: .tcp(host: "cache", port: 6379), database: 3)),
        ("redis://[::1]:7000/", RedisURL(endpoint: .tcp(host: "::1", port: 7000))),
        ("redis://:secret@cache", RedisURL(endpoint: .tcp(host: "cache", port: 6379), password: "secret")),
        (
            "redis://ann:a%40b%3Ac:d@cache:1/15",
            RedisURL(endpoint: .tcp(host: "cache", port: 1), user: "ann", password: "a@b:c:d", database: 15)
        ),
        ("unix:///run/redis.sock", RedisURL(endpoint: .unix(path: "/run/redis.sock"))),
        (
            "unix://ann:pw@/run/my%20redis.sock?db=2",
            RedisURL(endpoint: .unix(path: "/run/my redis.sock"), user: "ann", password: "pw", database: 2)
        ),
    ])
    func `a URL is read`(_ text: String, _ expected: RedisURL) throws {
        #expect(try RedisURL(text) == expected)
    }

    @Test(arguments: [
        ("", RedisURLError.schemeMissing),
        ("localhost:6379", .schemeMissing),
        ("http://cache", .unknownScheme("http")),
        ("rediss://cache", .tlsNotAvailable),
        ("redis://", .hostMissing),
        ("redis://:6379", .hostMissing),
        ("redis://cache:0", .badPort("0")),
        ("redis://cache:65536", .badPort("65536")),
        ("redis://cache:", .badPort("")),
        ("redis://[::1", .badHost("[::1")),
        ("redis://[::1]7000", .badHost("[::1]7000")),
        ("redis://cache/x", .badDatabase("x")),
        ("redis://cache/-1", .badDatabase("-1")),
        ("redis://ann@cache", .passwordMissing(user: "ann")),
        ("redis://a:%zz@cache", .badEscape(part: "password")),
        ("redis://a:%ff@cache", .badEscape(part: "password")),
        ("redis://a:%+1@cache", .badEscape(part: "password")),
        ("redis://a%0:b@cache", .badEscape(part: "user")),
        ("redis://cache?tls=1", .unknownParameter("tls")),
        ("redis://ca che", .controlCharacter),
        ("unix://run/redis.sock", .pathMissing),
        ("unix:///run/redis.sock?database=1", .unknownParameter("database")),
    ])
    func `what is wrong with a URL is named`(_ text: String, _ expected: RedisURLError) {
        #expect(throws: expected) { try RedisURL(text) }
    }

    @Test func `TLS is refused with the reason and a way out`() {
        #expect("\(RedisURLError.tlsNotAvailable)".contains("hiredis 0."))
        #expect("\(RedisURLError.tlsNotAvailable)".contains("redis://"))
    }

    @Test func `a password is never shown`() throws {
        #expect(try RedisURL("redis://ann:secret@[::1]/2").description == "redis://ann:***@[::1]:6379/2")
        #expect(try RedisURL("unix://:secret@/run/r.sock").description == "unix://:***@/run/r.sock?db=0")
        #expect(try RedisURL("redis://cache").description == "redis://cache:6379/0")
    }
}
