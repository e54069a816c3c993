using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Platform.Logging;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live;

/// <summary>Pages of other sites, rebound names and forged proxies change nothing and learn nothing.</summary>
[Collection(GatewayTests.Name)]
public sealed class OriginTests(LiveGateway gateway)
{
    private static readonly string[] Changes =
    [
        "POST /api/2.0/mlflow/registered-models/create",
        "POST /ajax-api/2.0/mlflow/registered-models/create",
        "POST /api/2.0/mlflow/experiments/create",
        "POST /graphql",
        "POST /api/v1/grants",
        "POST /api/v1/services",
        "POST /signin",
        "POST /setup",
        "POST /signout",
        "POST /connect/token",
    ];

    private static readonly string[] Heads =
    [
        "Host: evil.example",
        "Host: evil.example:{port}\r\nOrigin: https://evil.example:{port}",
        "Host: localhost.:{port}",
        "Host: 127.0.0.1.nip.io:{port}",
        "Host: localhost:{port}\r\nOrigin: https://evil.example",
        "Host: localhost:{port}\r\nOrigin: null",
        "Host: localhost:{port}\r\nOrigin: https://localhost",
        "Host: localhost:{port}\r\nOrigin: https://localhost:1",
        "Host: localhost:{port}\r\nOrigin: http://localhost:{port}",
        "Host: localhost:{port}\r\nOrigin: https://localhost:{port}.evil.example",
        "Host: localhost:{port}\r\nOrigin: https://localhost:{port}\r\nOrigin: https://evil.example",
        "Host: localhost:{port}\r\nOrigin: https://localhost:{port}/",
        "Host: localhost:{port}\r\nOrigin: https://localhost:{port}, https://evil.example",
        "Host: localhost:{port}\r\nOrigin:",
        "Host: localhost:{port}\r\nSec-Fetch-Site: cross-site",
        "Host: localhost:{port}\r\nSec-Fetch-Site: same-site",
        "Host: localhost:{port}\r\nSec-Fetch-Site: SAME-ORIGIN",
        "Host: localhost:{port}\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site",
        "Host: localhost:{port}\r\nSec-Fetch-Site: ",
    ];

    [Fact]
    public async Task No_request_of_a_foreign_page_or_a_rebound_name_changes_anything()
    {
        var port = new Uri(gateway.Url).Port.ToString(CultureInfo.InvariantCulture);
        var token = gateway.TokenOf("dana");
        var before = await ChangesAsync();
        var sent = 0;
        foreach (var line in Changes)
        {
            foreach (var head in Heads)
            {
                var body = line.Contains("graphql", StringComparison.Ordinal)
                    ? """{"query":"mutation{requestPromotion(model:\"rebound\",version:1,target:{stage:PRODUCTION}){id}}"}"""
                    : $$"""{"name":"rebound-{{sent}}"}""";
                var answer = await gateway.RawAsync(
                    $"{line} HTTP/1.1\r\n{head.Replace("{port}", port, StringComparison.Ordinal)}\r\n"
                        + $"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                        + $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: close\r\n\r\n{body}"
                );

                sent++;
                Assert.True(
                    answer.StartsWith("HTTP/1.1 400", StringComparison.Ordinal)
                        || answer.StartsWith("HTTP/1.1 403", StringComparison.Ordinal),
                    $"{line} {head}: {answer.Split('\r')[0]}"
                );
                Assert.Matches("\"(code|error_code)\":\"", answer);
                Assert.DoesNotContain("evil", answer, StringComparison.Ordinal);
                Assert.DoesNotContain("Access-Control", answer, StringComparison.OrdinalIgnoreCase);
            }
        }

        Assert.True(sent >= 60, $"{sent}");
        Assert.Equal(before, await ChangesAsync());
    }

    [Theory]
    [InlineData("")]
    [InlineData("Origin: https://localhost:{port}\r\n")]
    [InlineData("Origin: https://127.0.0.1:{port}\r\n")]
    [InlineData("Sec-Fetch-Site: same-origin\r\n")]
    [InlineData("Sec-Fetch-Site: none\r\n")]
    public async Task The_gateways_own_pages_and_programs_get_in(string head)
    {
        var port = new Uri(gateway.Url).Port;
        var answer = await gateway.RawAsync(
            $"POST /api/2.0/mlflow/experiments/search HTTP/1.1\r\nHost: localhost:{port}\r\n"
                + head.Replace("{port}", $"{port}", StringComparison.Ordinal)
                + $"Authorization: Bearer {gateway.TokenOf("dana")}\r\nContent-Type: application/json\r\n"
                + "Content-Length: 17\r\nConnection: close\r\n\r\n{\"max_results\":1}"
        );

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_host_is_on_record_without_its_name_or_address()
    {
        // A window of its own: in the one before, other tests may have been refused so often that this one would be counted only.
        gateway.Services.GetRequiredService<RefusalFold>().Close();
        await gateway.RawAsync("GET /version HTTP/1.1\r\nHost: recorded.example\r\nConnection: close\r\n\r\n");

        // The entry is durable when the answer leaves; it is in the tree a moment later.
        var text = "";
        for (var i = 0; i < 100 && !text.Contains("gateway.unknown_host", StringComparison.Ordinal); i++)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
            var entries = await gateway
                .Services.GetRequiredService<IAuditLog>()
                .QueryAsync(
                    new AuditQuery { KindPrefix = "access.foreign", First = 50 },
                    TestContext.Current.CancellationToken
                );
            text = string.Concat(entries.Items.Select(entry => entry.Canonical));
        }

        Assert.Contains("gateway.unknown_host", text, StringComparison.Ordinal);
        Assert.DoesNotContain("recorded.example", text, StringComparison.Ordinal);
        Assert.DoesNotContain("127.0.0.1", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_answer_carries_the_headers_that_keep_a_browser_from_using_it()
    {
        (string Method, string Path, string? Account)[] requests =
        [
            ("GET", "/", null),
            ("GET", "/signin", null),
            ("GET", "/nowhere", null),
            ("GET", "/health/live", null),
            ("GET", "/api/v1/whoami", null),
            ("GET", "/api/v1/whoami", "dana"),
            ("GET", "/api/v1/subjects", "dana"),
            ("GET", "/api/2.0/mlflow/experiments/get?experiment_id=none", "dana"),
            ("POST", "/api/2.0/mlflow/experiments/create", "dana"),
            ("POST", "/connect/token", null),
            ("GET", "/connect/authorize", null),
            ("GET", "/.well-known/openid-configuration", null),
            ("GET", "/log/checkpoint", null),
            ("GET", "/graphql?query=%7B__typename%7D", "dana"),
            ("DELETE", "/graphql", "dana"),
            ("GET", "/assets/governance.css", null),
            ("GET", "/metrics", "dana"),
        ];
        foreach (var (method, path, account) in requests)
        {
            using var client = account is null ? gateway.Anonymous() : gateway.Http(account);
            using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
            using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

            string Header(string name) => answer.Headers.TryGetValues(name, out var values) ? values.Single() : "";
            Assert.True(Header("X-Content-Type-Options") == "nosniff", path);
            Assert.True(Header("X-Frame-Options") == "DENY", path);
            Assert.True(
                Header("Content-Security-Policy").Contains("default-src 'none'", StringComparison.Ordinal),
                path
            );
            Assert.True(
                Header("Content-Security-Policy").Contains("frame-ancestors 'none'", StringComparison.Ordinal),
                path
            );
            Assert.True(Header("Content-Security-Policy").Contains("base-uri 'none'", StringComparison.Ordinal), path);
            Assert.False(Header("Content-Security-Policy").Contains("unsafe", StringComparison.Ordinal), path);
            Assert.True(Header("Referrer-Policy") is "same-origin" or "no-referrer", path);
            Assert.True(Header("Cross-Origin-Opener-Policy") == "same-origin", path);
            Assert.True(Header("Cross-Origin-Resource-Policy") == "same-origin", path);
            Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"), path);
            Assert.True(Header("Server").Length == 0, path);
            Assert.True(
                answer.Headers.CacheControl is { NoStore: true }
                    || path is "/log/checkpoint" or "/assets/governance.css",
                $"{path}: {answer.Headers.CacheControl}"
            );
        }
    }

    [Fact]
    public async Task A_file_of_somebody_is_a_download_under_its_own_name_whatever_it_holds()
    {
        const string name = "r\u00e9sum\u00e9; filename=evil.html";
        var dana = gateway.As("dana");
        var experiment = await dana.PostAsync("experiments/create", new JsonObject { ["name"] = "downloads" });
        var run = await dana.PostAsync(
            "runs/create",
            new JsonObject { ["experiment_id"] = experiment.Text("experiment_id") }
        );
        var path =
            $"/api/2.0/mlflow-artifacts/artifacts/{experiment.Text("experiment_id")}/"
            + $"{run.Text("run", "info", "run_id")}/artifacts/{Uri.EscapeDataString(name)}";
        var stored = await dana.UploadAsync(HttpMethod.Put, path, "<script>alert(1)</script>"u8.ToArray(), "text/html");

        using var answer = await gateway
            .Http("dana")
            .GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);

        Assert.True(stored.Ok, stored.Body.ToJsonString());
        Assert.Equal("application/octet-stream", answer.Content.Headers.ContentType!.ToString());
        Assert.Equal("attachment", answer.Content.Headers.ContentDisposition!.DispositionType);
        Assert.Equal(name, answer.Content.Headers.ContentDisposition.FileNameStar);
        Assert.DoesNotContain(
            "evil.html",
            answer.Content.Headers.ContentDisposition.Name ?? "",
            StringComparison.Ordinal
        );
        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("DENY", answer.Headers.GetValues("X-Frame-Options").Single());
        Assert.Equal(
            "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox",
            answer.Headers.GetValues("Content-Security-Policy").Single()
        );
        Assert.Equal("same-origin", answer.Headers.GetValues("Cross-Origin-Resource-Policy").Single());
        Assert.True(answer.Headers.CacheControl is { NoStore: true });
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("192.0.2.0/24", false)]
    [InlineData("127.0.0.1", true)]
    public async Task Only_a_proxy_that_the_operator_named_is_believed_about_addresses(string proxies, bool believed)
    {
        await using var own = new LiveGateway
        {
            Accounts = false,
            Settings = new Dictionary<string, string?> { ["Governance:Proxies"] = proxies },
        };
        await own.InitializeAsync();

        var itself = await AddressAsync(own, "");
        var forwarded = await AddressAsync(own, "X-Forwarded-For: 198.51.100.7\r\n");
        var spoofed = await AddressAsync(own, "X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\n");
        var alone = await AddressAsync(own, "Forwarded: for=198.51.100.8\r\nX-Real-IP: 198.51.100.8\r\n");

        Assert.Equal(believed, itself != forwarded);
        Assert.Equal(forwarded, spoofed);
        Assert.Equal(itself, alone);
    }

    [Fact]
    public async Task Browsers_are_told_to_come_back_by_https_only_but_on_localhost()
    {
        await using var own = new LiveGateway
        {
            Accounts = false,
            Settings = new Dictionary<string, string?> { ["Governance:AllowedHosts"] = "api.example" },
        };
        await own.InitializeAsync();

        foreach (var (host, told) in new[] { ("api.example", true), ("localhost", false) })
        {
            var answer = await own.RawAsync($"GET /nowhere HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");

            Assert.StartsWith("HTTP/1.1 404", answer, StringComparison.Ordinal);
            Assert.Equal(
                told,
                answer.Contains("Strict-Transport-Security: max-age=31536000", StringComparison.Ordinal)
            );
        }
    }

    /// <summary>The name in the log of the address from which a request was refused.</summary>
    private static async Task<string> AddressAsync(LiveGateway own, string head)
    {
        var log = own.Services.GetRequiredService<IAuditLog>();
        var query = new AuditQuery { KindPrefix = "access.foreign", First = 50 };
        var before = (await log.QueryAsync(query, TestContext.Current.CancellationToken)).Items.Count;
        await own.RawAsync($"GET /version HTTP/1.1\r\nHost: other.example\r\n{head}Connection: close\r\n\r\n");
        for (var i = 0; i < 200; i++)
        {
            var entries = await log.QueryAsync(query, TestContext.Current.CancellationToken);
            if (entries.Items.Count > before)
            {
                return JsonNode.Parse(entries.Items[0].Canonical)!["details"]!["address"]!.ToString();
            }

            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        throw new TimeoutException("The refusal is not in the log.");
    }

    /// <summary>What the log holds of changes to the registry and to identity.</summary>
    private async Task<IReadOnlyList<Guid>> ChangesAsync()
    {
        var log = gateway.Services.GetRequiredService<IAuditLog>();
        var changes = new List<Guid>();
        foreach (var module in new[] { "registry.", "identity.", "promotion." })
        {
            var page = await log.QueryAsync(
                new AuditQuery
                {
                    First = 50,
                    KindPrefix = module,
                    Outcome = "done",
                },
                TestContext.Current.CancellationToken
            );
            changes.AddRange(page.Items.Select(entry => entry.Id));
        }

        return changes;
    }
}
