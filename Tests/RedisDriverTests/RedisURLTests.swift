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
        ("redis://cache/1?ca=x", .unknownParameter("ca")),
        ("redis+sentinel://", .hostMissing),
        ("redis+sentinel://a,b", .masterMissing),
        ("redis+sentinel://a,b/", .masterMissing),
        ("redis+sentinel://a,,b/m", .hostMissing),
        ("redis+sentinel://a:1,b:x/m", .badPort("x")),
        ("redis+sentinel://a/m/n", .badDatabase("n")),
        ("redis+sentinel://a/m/0/1", .badDatabase("0/1")),
        ("redis+sentinel://a/m?password=x", .unknownParameter("password")),
        ("redis+sentinel://a/m?sentinel_password=", .emptyParameter("sentinel_password")),
        ("redis+sentinel://a/m?sentinel_user=u", .passwordMissing(user: "u")),
        (
            "redis+sentinel://a/m?sentinel_password=x&sentinel_password=y",
            .repeatedParameter("sentinel_password")
        ),
        ("redis+sentinel://a/m?sentinel_password=%4", .badEscape(part: "sentinel_password")),
        (
            "redis+sentinel://" + Array(repeating: "a", count: 17).joined(separator: ",") + "/m",
            .tooManySentinels(limit: 16)
        ),
        ("redis://ca che", .controlCharacter),
        ("unix://run/redis.sock", .pathMissing),
        ("unix:///run/redis.sock?database=1", .unknownParameter("database")),
    ])
    func `what is wrong with a URL is named`(_ text: String, _ expected: RedisURLError) {
        #expect(throws: expected) { try RedisURL(text) }
    }

    @Test func `sentinels, their login and the name of their master are read`() throws {
        let url = try RedisURL(
            "redis+sentinel://ann:pw@s1,[::1]:7000/my%20master/3?sentinel_user=sue&sentinel_password=p%26q")
        let sentinels = RedisSentinels(
            addresses: [.init(host: "s1", port: 26379), .init(host: "::1", port: 7000)], master: "my master",
            user: "sue", password: "p&q")
        #expect(
            url == RedisURL(endpoint: .master(of: sentinels), user: "ann", password: "pw", database: 3))
        #expect(url.description == "redis+sentinel://ann:***@s1:26379,[::1]:7000/my master/3")
        let short = try RedisURL("redis+sentinel://a/m")
        #expect(
            short == RedisURL(endpoint: .master(of: .init(addresses: [.init(host: "a")], master: "m"))))
    }

    @Test(.enabled(if: RedisTLS.missing == nil, "hiredis 0.14 has no TLS"))
    func `TLS is read with its files`() throws {
        let url = try RedisURL("rediss://cache/2?ca=/ca%20file&cert=/c&key=/k")
        #expect(url.tls == RedisTLS(authorityFile: "/ca file", certificateFile: "/c", keyFile: "/k"))
        #expect(url.endpoint == .tcp(host: "cache", port: 6379))
        #expect(url.database == 2)
        #expect(try RedisURL("rediss+sentinel://a/m").tls == RedisTLS())
        #expect(throws: RedisURLError.halfACertificate) { try RedisURL("rediss://cache?cert=/c") }
    }

    @Test(.enabled(if: RedisTLS.missing != nil, "this hiredis has TLS"))
    func `TLS is refused with the reason and a way out where it is missing`() throws {
        let missing = try #require(RedisTLS.missing)
        for url in ["rediss://cache", "rediss+sentinel://a/m"] {
            let error = #expect(throws: RedisURLError.self) { try RedisURL(url) }
            #expect(error == .tlsNotAvailable(missing: missing))
            for word in ["hiredis 0.", "libhiredis_ssl", "redis://"] {
                #expect("\(String(describing: error))".contains(word))
            }
        }
    }

    @Test func `a password is never shown`() throws {
        #expect(try RedisURL("redis://ann:secret@[::1]/2").description == "redis://ann:***@[::1]:6379/2")
        #expect(try RedisURL("unix://:secret@/run/r.sock").description == "unix://:***@/run/r.sock?db=0")
        #expect(try RedisURL("redis://cache").description == "redis://cache:6379/0")
    }
}
