using System.Net;
using System.Text.Json.Nodes;

namespace Governance.Gateway.Tests.Live;

/// <summary>Addresses that proxies tell: only named ones are believed, and only about addresses.</summary>
public sealed class ProxyTests
{
    private const int PerMinute = 4;

    [Fact]
    public async Task A_named_proxy_tells_the_clients_apart_read_from_the_right()
    {
        await using var gateway = await StartAsync("127.0.0.0/8, ::1, 10.0.0.1");

        var first = await TriesAsync(gateway, PerMinute + 1, i => "192.0.2.1");
        var other = await TriesAsync(gateway, 1, i => "192.0.2.2");
        // What a client claims stands to the left of what the proxy saw.
        var spoofed = await TriesAsync(gateway, 1, i => "192.0.2.77, 192.0.2.1");
        var byTwo = await TriesAsync(gateway, 1, i => "192.0.2.1, 10.0.0.1");

        Assert.Equal(HttpStatusCode.TooManyRequests, first[^1]);
        Assert.DoesNotContain(HttpStatusCode.TooManyRequests, first[..^1]);
        Assert.NotEqual(HttpStatusCode.TooManyRequests, other[0]);
        Assert.Equal(HttpStatusCode.TooManyRequests, spoofed[0]);
        Assert.Equal(HttpStatusCode.TooManyRequests, byTwo[0]);
    }

    [Fact]
    public async Task Scheme_and_host_never_come_from_a_proxy()
    {
        await using var gateway = await StartAsync("127.0.0.0/8, ::1");
        using var client = gateway.Anonymous();
        using var request = new HttpRequestMessage(
            HttpMethod.Get,
            new Uri("/.well-known/openid-configuration", UriKind.Relative)
        );
        request.Headers.Add("X-Forwarded-Proto", "http");
        request.Headers.Add("X-Forwarded-Host", "evil.example");
        request.Headers.Add("X-Forwarded-Prefix", "/evil");

        using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
        Assert.Equal(gateway.Url, $"{body["issuer"]}".TrimEnd('/'));
        Assert.StartsWith(gateway.Url, $"{body["token_endpoint"]}", StringComparison.Ordinal);
    }

    private static async Task<LiveGateway> StartAsync(string proxies)
    {
        var gateway = new LiveGateway
        {
            Accounts = false,
            Settings = new Dictionary<string, string?>
            {
                ["Governance:Proxies"] = proxies,
                ["Governance:Identity:TokensPerMinute"] = $"{PerMinute}",
            },
        };
        await gateway.InitializeAsync();
        return gateway;
    }

    private static async Task<List<HttpStatusCode>> TriesAsync(
        LiveGateway gateway,
        int count,
        Func<int, string> address
    )
    {
        using var client = gateway.Anonymous();
        var answers = new List<HttpStatusCode>();
        for (var i = 0; i < count; i++)
        {
            using var form = new FormUrlEncodedContent([new("grant_type", "client_credentials")]);
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/connect/token", UriKind.Relative));
            request.Content = form;
            request.Headers.Add("X-Forwarded-For", address(i));
            using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);
            answers.Add(answer.StatusCode);
        }

        return answers;
    }
}
