using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Governance.Gateway.Demo;
using Governance.Gateway.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live;

/// <summary>Whatever is thrown at it, the gateway answers soon, with a 4xx and a code, and never with a 500.</summary>
[Collection(GatewayTests.Name)]
public sealed partial class BadInputTests(LiveGateway gateway)
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    /// <summary>Bodies that are no JSON object with single, well-formed members: nobody may accept these.</summary>
    private static readonly (string Name, byte[] Bytes)[] Malformed =
    [
        ("cut off", "{\"name\":"u8.ToArray()),
        ("cut string", "{\"name\":\"x"u8.ToArray()),
        ("single quotes", "{'name':'x'}"u8.ToArray()),
        ("no quotes", "{name:x}"u8.ToArray()),
        ("trailing comma", "{\"name\":\"x\",}"u8.ToArray()),
        ("comment", "{/* hi */\"name\":\"x\"}"u8.ToArray()),
        ("trailing garbage", "{\"name\":\"x\"} x"u8.ToArray()),
        ("two documents", "{\"name\":\"x\"}{\"name\":\"y\"}"u8.ToArray()),
        ("array", "[]"u8.ToArray()),
        ("array of objects", "[{\"name\":\"x\"}]"u8.ToArray()),
        ("string", "\"x\""u8.ToArray()),
        ("number", "1"u8.ToArray()),
        ("null", "null"u8.ToArray()),
        ("true", "true"u8.ToArray()),
        ("spaces", "   "u8.ToArray()),
        ("duplicate member", "{\"name\":\"a\",\"name\":\"b\"}"u8.ToArray()),
        ("duplicate nested member", "{\"name\":\"x\",\"tags\":[{\"key\":\"a\",\"key\":\"b\"}]}"u8.ToArray()),
        ("duplicate escaped member", "{\"name\":\"a\",\"n\\u0061me\":\"b\"}"u8.ToArray()),
        ("lone high surrogate", "{\"name\":\"\\ud800\"}"u8.ToArray()),
        ("lone low surrogate", "{\"name\":\"\\udc00x\"}"u8.ToArray()),
        ("surrogates in wrong order", "{\"name\":\"\\udc00\\ud800\"}"u8.ToArray()),
        ("lone surrogate as a name", "{\"\\ud800\":1,\"name\":\"x\"}"u8.ToArray()),
        ("bad escape", "{\"name\":\"\\x41\"}"u8.ToArray()),
        ("raw control character", "{\"name\":\"a\nb\"}"u8.ToArray()),
        ("no UTF-8", [0x7b, 0x22, 0x6e, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
        ("UTF-8 of a surrogate", [0x7b, 0x22, 0x6e, 0x22, 0x3a, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x7d]),
        ("UTF-16", Encoding.Unicode.GetBytes("{\"name\":\"x\"}")),
        ("zeroes", new byte[64]),
        ("deep array", Encoding.ASCII.GetBytes("{\"name\":" + new string('[', 20_000) + new string(']', 20_000) + "}")),
        (
            "deep object",
            Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("{\"a\":", 20_000)) + "1" + new string('}', 20_000))
        ),
        ("NaN", "{\"name\":NaN}"u8.ToArray()),
        ("leading zero", "{\"name\":01}"u8.ToArray()),
    ];

    /// <summary>Values of the wrong type or size for every member that some route knows.</summary>
    private static readonly string[] Values =
    [
        "1",
        "-1",
        "1e999",
        "99999999999999999999999999",
        "0.5",
        "true",
        "null",
        "{}",
        "[]",
        "[null]",
        "[[]]",
        "[{}]",
        "[1]",
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"a\\u0000b\"",
        "\"../../etc/passwd\"",
        "\"' OR 1=1 --\"",
        "\"\\u202e\"",
    ];

    private static readonly string[] Members =
    [
        "name",
        "new_name",
        "version",
        "stage",
        "alias",
        "run_id",
        "run_uuid",
        "model_id",
        "experiment_id",
        "experiment_ids",
        "source",
        "key",
        "value",
        "timestamp",
        "step",
        "tags",
        "params",
        "metrics",
        "datasets",
        "models",
        "status",
        "start_time",
        "end_time",
        "filter",
        "filter_string",
        "order_by",
        "max_results",
        "page_token",
        "run_view_type",
        "view_type",
        "description",
        "source_run_id",
        "archive_existing_versions",
        "run_name",
        "user_id",
        "stages",
        "model_type",
        "userName",
        "displayName",
        "password",
        "grants",
        "clientId",
        "subject",
        "role",
        "kind",
        "pattern",
        "enabled",
        "regulation",
        "model",
        "columns",
        "quasiIdentifiers",
        "sensitiveColumns",
        "leastK",
        "legalBasis",
        "purpose",
        "treatments",
        "query",
        "variables",
        "operationName",
        "extensions",
    ];

    private IEnumerable<(string Method, string Path, string Account)> JsonRoutes =>
        from route in Inventory.Of([gateway.Services.GetRequiredService<EndpointDataSource>()])
        let parts = route.Split(' ')
        let pattern = parts[1]
        where parts[0] is "POST" or "PATCH" or "DELETE" || pattern == "/graphql/"
        where
            pattern.StartsWith("/api/2.0/mlflow/", StringComparison.Ordinal)
            || pattern.StartsWith("/api/v1/", StringComparison.Ordinal)
            || pattern == "/graphql/"
        where
            pattern
                is not ("/api/v1/datasets/" or "/api/v1/grants/{id:guid}" or "/api/v1/groups/{id}/members/{subject}")
            && !pattern.Contains("{**", StringComparison.Ordinal)
        // The tag to delete is in the address; there is no body to be wrong.
        where !(parts[0] == "DELETE" && pattern.Contains("logged-models", StringComparison.Ordinal))
        select (
            parts[0] == "*" ? "POST" : parts[0],
            Parameter().Replace(pattern, new string('a', 32)).TrimEnd('/'),
            parts[^1] switch
            {
                "identity:manage" => "admin",
                "dataset:declare" => "paul",
                "report:create" => "ada",
                _ => "dana",
            }
        );

    [Fact]
    public async Task Malformed_json_is_refused_by_every_route()
    {
        var wrong = new List<string>();
        foreach (var (method, path, account) in JsonRoutes)
        {
            foreach (var (name, bytes) in Malformed)
            {
                await CheckAsync(wrong, $"{method} {path}: {name}", account, method, path, bytes, mustRefuse: true);
            }
        }

        Assert.True(wrong.Count == 0, Report(wrong));
    }

    [Fact]
    public async Task Members_of_the_wrong_type_never_break_a_route()
    {
        var wrong = new List<string>();
        foreach (var (method, path, account) in JsonRoutes)
        {
            foreach (var value in Values)
            {
                // All members at once, and the likely ones alone: the first problem must not hide the next for good.
                var all = "{" + string.Join(',', Members.Select(member => $"\"{member}\":{value}")) + "}";
                await CheckAsync(
                    wrong,
                    $"{method} {path}: all = {value}",
                    account,
                    method,
                    path,
                    Encoding.UTF8.GetBytes(all)
                );
                await CheckAsync(
                    wrong,
                    $"{method} {path}: name = {value}",
                    account,
                    method,
                    path,
                    Encoding.UTF8.GetBytes($"{{\"name\":{value}}}")
                );
            }
        }

        Assert.True(wrong.Count == 0, Report(wrong));
    }

    [Fact]
    public async Task A_name_of_ten_megabytes_is_refused_by_every_route()
    {
        var body = Encoding.ASCII.GetBytes($"{{\"name\":\"{new string('a', 10 << 20)}\"}}");
        var wrong = new List<string>();
        foreach (var (method, path, account) in JsonRoutes)
        {
            await CheckAsync(wrong, $"{method} {path}", account, method, path, body, mustRefuse: true);
        }

        Assert.True(wrong.Count == 0, Report(wrong));
    }

    [Theory]
    [InlineData(
        "admin",
        "/api/v1/persons",
        "{\"userName\":\"u\",\"displayName\":\"d\",\"grants\":[],\"isAdmin\":true}"
    )]
    [InlineData("admin", "/api/v1/services", "{\"clientId\":\"c\",\"grants\":[],\"secret\":\"x\"}")]
    [InlineData("admin", "/api/v1/grants", "{\"subject\":\"s\",\"role\":\"viewer\",\"everywhere\":true}")]
    [InlineData(
        "ada",
        "/api/v1/reports",
        "{\"regulation\":\"gdpr\",\"model\":\"m\",\"version\":1,\"verdict\":\"met\"}"
    )]
    public async Task Our_own_api_refuses_members_that_it_does_not_know(string account, string path, string body)
    {
        var wrong = new List<string>();

        await CheckAsync(wrong, path, account, "POST", path, Encoding.UTF8.GetBytes(body), mustRefuse: true);

        Assert.Empty(wrong);
    }

    [Fact]
    public async Task A_body_that_is_not_declared_as_json_is_refused()
    {
        var wrong = new List<string>();
        foreach (
            var (method, path, account) in JsonRoutes.Where(route =>
                !route.Path.StartsWith("/api/2.0", StringComparison.Ordinal)
            )
        )
        {
            foreach (
                var type in new[]
                {
                    "text/plain",
                    "application/x-www-form-urlencoded",
                    "multipart/form-data; boundary=x",
                    "text/html",
                }
            )
            {
                await CheckAsync(
                    wrong,
                    $"{path} {type}",
                    account,
                    method,
                    path,
                    "{\"query\":\"{__typename}\"}"u8.ToArray(),
                    mustRefuse: true,
                    type: type
                );
            }
        }

        Assert.True(wrong.Count == 0, Report(wrong));
    }

    [Theory]
    [InlineData("registered-models/get?name=%ff")]
    [InlineData("registered-models/get?name=%00")]
    [InlineData("registered-models/get?name=%ed%a0%80")]
    [InlineData("registered-models/get?name=a&name=b")]
    [InlineData("registered-models/get?name=%")]
    [InlineData("registered-models/get?name=%zz")]
    [InlineData("registered-models/get")]
    [InlineData("model-versions/get?name=x&version=-1")]
    [InlineData("model-versions/get?name=x&version=1e3")]
    [InlineData("model-versions/get?name=x&version=99999999999999999999")]
    [InlineData("model-versions/get?name=x&version=%D9%A1")]
    [InlineData("experiments/get?experiment_id=x")]
    [InlineData("experiments/get?experiment_id=-1")]
    [InlineData("experiments/get?experiment_id=99999999999999999999")]
    [InlineData("runs/get?run_id=..%2f..")]
    [InlineData("registered-models/search?max_results=-1")]
    [InlineData("registered-models/search?max_results=99999999999")]
    [InlineData("registered-models/search?max_results=x")]
    [InlineData("registered-models/search?page_token=garbage")]
    [InlineData("registered-models/search?page_token=eyJvZmZzZXQiOiAtNX0%3D")]
    [InlineData("registered-models/search?filter=name%20LIKE%20'%25'%20OR%201%3D1")]
    [InlineData("registered-models/search?filter='")]
    [InlineData("registered-models/search?filter=((((((((((((((((((((((((")]
    [InlineData("registered-models/search?order_by=drop%20table")]
    [InlineData("model-versions/search?filter=name%3D'x'%20AND%20tags.%60a")]
    [InlineData("metrics/get-history?run_id=x&metric_key=")]
    [InlineData("artifacts/list?run_id=x&path=..")]
    [InlineData("logged-models/..")]
    [InlineData("logged-models/m-zz")]
    public async Task A_bad_query_is_refused(string query)
    {
        var wrong = new List<string>();

        await CheckAsync(wrong, query, "dana", "GET", $"/api/2.0/mlflow/{query}", null, mustRefuse: true);

        Assert.Empty(wrong);
    }

    [Fact]
    public async Task A_huge_filter_is_answered_soon()
    {
        var wrong = new List<string>();
        string[] filters =
        [
            string.Concat(Enumerable.Repeat("name='x' AND ", 200)) + "name='x'",
            "name LIKE '" + string.Concat(Enumerable.Repeat("%a", 500)) + "b'",
            "tags.`" + new string('a', 2000) + "` = 'x'",
            new string('(', 2000),
            new string('\'', 2001),
        ];
        foreach (var filter in filters)
        {
            await CheckAsync(
                wrong,
                filter[..20],
                "dana",
                "GET",
                $"/api/2.0/mlflow/registered-models/search?filter={Uri.EscapeDataString(filter)}",
                null
            );
            var huge = string.Concat(Enumerable.Repeat(filter, 100));
            await CheckAsync(
                wrong,
                filter[..20],
                "dana",
                "POST",
                "/api/2.0/mlflow/runs/search",
                Encoding.UTF8.GetBytes(
                    new JsonObject { ["experiment_ids"] = new JsonArray("0"), ["filter"] = huge }.ToJsonString()
                )
            );
        }

        Assert.True(wrong.Count == 0, Report(wrong));
    }

    public static TheoryData<string> PathTricks =>
        [
            .. new[]
            {
                "..%2f..%2fsecret",
                "%2e%2e%2fsecret",
                "%2e%2e%5csecret",
                "..%5c..%5csecret",
                "a%2f..%2f..%2fsecret",
                "a/..%2fsecret",
                "%2e%2e",
                "..%2f",
                "%2e%2e%2f",
                ".%2e%2fsecret",
                "%2e.%2fsecret",
                "%252e%252e%252fsecret",
                "%252e%252e/secret",
                "..%252fsecret",
                "%25252e%25252e",
                "..%255csecret",
                "..%c0%afsecret",
                "%c0%ae%c0%ae%c0%afsecret",
                "..%e0%80%afsecret",
                "%e0%80%ae%e0%80%ae",
                "%f0%80%80%ae",
                "%c1%9csecret",
                "a%00b",
                "%00",
                "a.txt%00.png",
                "%2500",
                "a%0ab",
                "a%0db",
                "a%0d%0aX-Injected:1",
                "a%09b",
                "a%1bb",
                "a%7fb",
                "a%c2%85b",
                "a%5cb",
                "%5c",
                "%5c%5cserver%5cshare",
                "C:%5cwindows",
                "..%5c",
                "a/%5c/b",
                "a//b",
                "%2fabsolute",
                "%2f%2fabsolute",
                "a%2f%2fb",
                "a/%20",
                "%20",
                "a%20",
                "a.",
                "a/...",
                "...",
                "a/b./c",
                "a%e2%80%aeb",
                "a%e2%80%8bb",
                "a%ef%bb%bfb",
                "a%e2%80%a8b",
                "a%e2%81%a6b",
                "%ff",
                "%c3",
                "%c3%28",
                "%ed%a0%80",
                "%f5%80%80%80",
                "%2e",
                "%2e%2f",
                "a/%2e/b%2f..%2f..%2f..",
                new string('a', 256),
                string.Join('/', Enumerable.Repeat("a", 40)),
                string.Join('/', Enumerable.Repeat(new string('b', 200), 6)),
            },
        ];

    [Theory]
    [MemberData(nameof(PathTricks))]
    public async Task A_tricky_artifact_name_is_refused_and_leaves_nothing(string trick)
    {
        var dana = gateway.As("dana");
        var name = $"tricks-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(trick)))[..12]}";
        var experiment = (await dana.PostAsync("experiments/create", new JsonObject { ["name"] = name })).Text(
            "experiment_id"
        );
        var run = (await dana.PostAsync("runs/create", new JsonObject { ["experiment_id"] = experiment })).Text(
            "run",
            "info",
            "run_id"
        );
        var root = $"{experiment}/{run}/artifacts";
        var wrong = new List<string>();

        foreach (var method in new[] { "PUT", "GET", "DELETE" })
        {
            var path = $"/api/2.0/mlflow-artifacts/artifacts/{root}/{trick}";
            await CheckAsync(
                wrong,
                $"{method} {trick}",
                "dana",
                method,
                path,
                method == "PUT" ? [1, 2, 3] : null,
                mustRefuse: true,
                type: "application/octet-stream"
            );
        }

        var list = await dana.ApiGetAsync($"/api/2.0/mlflow-artifacts/artifacts?path={Uri.EscapeDataString(root)}");
        Assert.Empty(list.Body["files"]?.AsArray() ?? []);
        Assert.True(wrong.Count == 0, Report(wrong));
    }

    [Fact]
    public async Task A_token_that_is_not_exactly_right_is_no_token()
    {
        var good = gateway.TokenOf("dana");
        using var http = gateway.Anonymous();
        var wrong = new List<string>();
        foreach (var header in BadTokens(good, await PublicKeysAsync()))
        {
            foreach (
                var path in new[]
                {
                    "/api/v1/whoami",
                    "/api/2.0/mlflow/experiments/get?experiment_id=0",
                    "/graphql?query=%7B__typename%7D",
                }
            )
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, gateway.Url + path);
                request.Headers.TryAddWithoutValidation("Authorization", header);
                using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
                if (answer.StatusCode != HttpStatusCode.Unauthorized || answer.Headers.WwwAuthenticate.Count == 0)
                {
                    wrong.Add($"{path} {header[..Math.Min(60, header.Length)]}: {(int)answer.StatusCode}");
                }
            }
        }

        Assert.True(wrong.Count == 0, Report(wrong));
        Assert.Equal(
            HttpStatusCode.Unauthorized,
            (
                await http.GetAsync(
                    new Uri($"/api/v1/whoami?access_token={good}", UriKind.Relative),
                    TestContext.Current.CancellationToken
                )
            ).StatusCode
        );
        using var form = new FormUrlEncodedContent(new Dictionary<string, string> { ["access_token"] = good });
        Assert.Equal(
            HttpStatusCode.Unauthorized,
            (
                await http.PostAsync(
                    new Uri("/api/2.0/mlflow/experiments/search", UriKind.Relative),
                    form,
                    TestContext.Current.CancellationToken
                )
            ).StatusCode
        );
    }

    [Fact]
    public async Task A_token_of_a_hundred_kilobytes_is_refused_before_it_is_read()
    {
        var answer = await gateway.RawAsync(
            $"GET /api/v1/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {new string('a', 100_000)}\r\n\r\n"
        );

        Assert.StartsWith("HTTP/1.1 431", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host: evil.example")]
    [InlineData("Host: evil.example:443")]
    [InlineData("Host: localhost.evil.example")]
    [InlineData("Host: localhost@evil.example")]
    [InlineData("Host: localhost:evil")]
    [InlineData("Host: localhost evil")]
    [InlineData("Host: ")]
    [InlineData("Host: localhost\r\nHost: evil.example")]
    [InlineData("X-Nothing: 1")]
    [InlineData("Host: [::ffff:1.2.3.4]")]
    [InlineData("Host: 0")]
    [InlineData("Host: localhost\r\nContent-Length: -1")]
    [InlineData("Host: localhost\r\nContent-Length: 1\r\nContent-Length: 2")]
    [InlineData("Host: localhost\r\nBad Header: 1")]
    [InlineData("Host: localhost\r\n folded: 1")]
    [InlineData("Host: localhost\r\nX: a\0b")]
    public async Task A_request_with_a_forged_or_broken_head_is_refused(string headers)
    {
        var answer = await gateway.RawAsync(
            $"GET /.well-known/openid-configuration HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n"
        );

        Assert.StartsWith("HTTP/1.1 4", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("evil", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET https://evil.example/.well-known/openid-configuration HTTP/1.1\r\nHost: localhost")]
    [InlineData(
        "GET /.well-known/openid-configuration HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http\r\nForwarded: host=evil.example\r\nX-Original-Host: evil.example"
    )]
    [InlineData("GET /.well-known/openid-configuration HTTP/1.1\r\nHost: localhost:1")]
    public async Task Addresses_in_answers_never_come_from_the_request(string request)
    {
        var answer = await gateway.RawAsync($"{request}\r\nConnection: close\r\n\r\n");

        Assert.DoesNotContain("evil", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("localhost:1/", answer, StringComparison.Ordinal);
    }

    private async Task<string> PublicKeysAsync() =>
        await gateway
            .Anonymous()
            .GetStringAsync(
                new Uri("/.well-known/governance/keys.pem", UriKind.Relative),
                TestContext.Current.CancellationToken
            );

    private static IEnumerable<string> BadTokens(string good, string publicKeys)
    {
        var parts = good.Split('.');
        string[] texts =
        [
            "",
            " ",
            "null",
            "undefined",
            "Bearer",
            "x",
            ".",
            "..",
            "...",
            "a.b.c",
            "a.b.c.d.e",
            good[..^1],
            good[..^20],
            good[1..],
            good + "A",
            good + ".",
            good + ".x",
            good.ToLowerInvariant(),
            good.ToUpperInvariant(),
            Flip(good, 5),
            Flip(good, good.Length / 2),
            Flip(good, good.Length - 3),
            $"{good},{good}",
            $"{good} {good}",
            $"\"{good}\"",
            parts[0],
            string.Join('.', parts[..^1]) + ".",
            string.Join('.', parts.Reverse()),
            new string('a', 8000),
            "{}",
            "eyJhbGciOiJub25lIn0.e30.",
            Jwt("{\"alg\":\"none\",\"typ\":\"at+jwt\"}", null),
            Jwt("{\"alg\":\"None\"}", null),
            Jwt("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", publicKeys),
            Jwt("{\"alg\":\"HS256\"}", ""),
            Jwt("{\"alg\":\"HS256\",\"jku\":\"https://evil.example/jwks\"}", "secret"),
            Jwt("{\"alg\":\"RS256\",\"kid\":\"../../../../dev/null\"}", "secret"),
        ];
        return texts
            .Select(text => $"Bearer {text}")
            .Concat(["Basic ZGFuYTpkYW5h", "Negotiate abc", $"Token {good}", good, $"Bearer:{good}", "Digest x"]);
    }

    private static string Flip(string text, int at) => text[..at] + (text[at] == 'A' ? 'B' : 'A') + text[(at + 1)..];

    private static string Jwt(string header, string? secret)
    {
        const string claims =
            "{\"sub\":\"admin\",\"iss\":\"https://localhost/\",\"aud\":\"governance\",\"exp\":4102444800,\"iat\":1,\"scope\":\"openid\",\"amr\":[\"pwd\"],\"auth_time\":1}";
        var text = $"{Base64Url(Encoding.UTF8.GetBytes(header))}.{Base64Url(Encoding.UTF8.GetBytes(claims))}";
        return secret is null
            ? $"{text}."
            : $"{text}.{Base64Url(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.ASCII.GetBytes(text)))}";
    }

    private static string Base64Url(byte[] bytes) =>
        Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    private async Task CheckAsync(
        List<string> wrong,
        string what,
        string account,
        string method,
        string path,
        byte[]? body,
        bool mustRefuse = false,
        string type = "application/json"
    )
    {
        var uri = new Uri(
            gateway.Url + path,
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }
        );
        using var request = new HttpRequestMessage(new HttpMethod(method), uri);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        }

        var clock = Stopwatch.StartNew();
        try
        {
            using var answer = await Client(account).SendAsync(request, TestContext.Current.CancellationToken);
            var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            var status = (int)answer.StatusCode;
            if (status >= 500 && status != 501)
            {
                wrong.Add($"{what}: {status} {text}");
            }
            else if (status is < 400 or 401 && mustRefuse)
            {
                wrong.Add($"{what}: {status} instead of a refusal");
            }
            // A zero byte in the request line never gets past the server's own parser, which answers without a body.
            else if (
                status >= 400
                && !HasCode(text)
                && !(status == 400 && path.Contains("%00", StringComparison.Ordinal))
            )
            {
                wrong.Add($"{what}: {status} without a code: '{text}'");
            }
        }
        catch (HttpRequestException exception) when (body is { Length: > 32 << 10 })
        {
            // The server may close a connection on a body that it refused unread; then there is no answer to look at.
            TestContext.Current.TestOutputHelper?.WriteLine($"{what}: {exception.Message}");
        }

        if (clock.Elapsed > Soon)
        {
            wrong.Add($"{what}: took {clock.Elapsed}");
        }
    }

    private readonly Dictionary<string, HttpClient> _clients = [];

    [Fact]
    public async Task What_mlflow_clients_may_log_at_once_is_larger_than_what_other_routes_take()
    {
        var dana = gateway.As("dana");
        var experiment = await dana.PostAsync("experiments/create", new JsonObject { ["name"] = "large-bodies" });
        var run = await dana.PostAsync(
            "runs/create",
            new JsonObject { ["experiment_id"] = experiment.Text("experiment_id") }
        );

        async Task<Answer> LogAsync(int length) =>
            await dana.PostAsync(
                "runs/log-inputs",
                new JsonObject
                {
                    ["run_id"] = run.Text("run", "info", "run_id"),
                    ["datasets"] = new JsonArray(
                        new JsonObject
                        {
                            ["dataset"] = new JsonObject
                            {
                                ["name"] = "wide",
                                ["digest"] = "12345678",
                                ["schema"] = new string('s', length),
                                ["profile"] = new string('p', length),
                            },
                        }
                    ),
                }
            );

        var taken = await LogAsync(900_000);
        var refused = await LogAsync(2_500_000);

        Assert.True(taken.Ok, taken.Body.ToJsonString());
        Assert.Equal(
            (HttpStatusCode.RequestEntityTooLarge, "registry.body_too_large"),
            (refused.Status, refused.Text("code"))
        );
    }

    private HttpClient Client(string account)
    {
        if (!_clients.TryGetValue(account, out var client))
        {
            _clients[account] = client = gateway.Http(account);
        }

        return client;
    }

    private static bool HasCode(string text)
    {
        try
        {
            var json = JsonNode.Parse(text);
            return json is JsonObject
                && (json["error_code"] ?? json["code"] ?? json["errors"]?[0]?["extensions"]?["code"] ?? json["error"])
                    is not null;
        }
        catch (System.Text.Json.JsonException)
        {
            return false;
        }
    }

    private static string Report(List<string> wrong) => $"{wrong.Count} wrong:\n{string.Join('\n', wrong.Take(60))}";

    [GeneratedRegex(@"\{[^}]*\}", RegexOptions.None, 1000)]
    private static partial Regex Parameter();
}
