using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Governance.Gateway.Tests.GraphQl;

public sealed class EndpointTests
{
    private const string Json = "application/json";

    [Fact]
    public async Task An_anonymous_caller_is_refused_as_JSON()
    {
        await using var host = await TestHost.StartAsync();

        var (status, body) = await SendAsync(host, Post("""{"query":"{checkpoint}"}"""), token: null);

        Assert.Equal(401, status);
        Assert.Equal("UNAUTHENTICATED", Code(body));
    }

    [Theory]
    [InlineData("[]", 400)]
    [InlineData("[{\"query\":\"{checkpoint}\"}]", 400)]
    [InlineData("", 400)]
    [InlineData("{", 400)]
    [InlineData("{\"query\":1}", 400)]
    [InlineData("{\"variables\":{}}", 400)]
    [InlineData("{\"query\":\"{checkpoint}\",\"variables\":[]}", 400)]
    [InlineData("{\"query\":\"{checkpoint}\",\"extensions\":1}", 400)]
    [InlineData("{\"query\":\"{checkpoint}\",\"query\":\"{a}\"}", 400)]
    [InlineData("{\"query\":\"{checkpoint}\"}", 200)]
    public async Task A_body_that_is_no_request_is_refused(string body, int expected)
    {
        await using var host = await TestHost.StartAsync();

        var (status, _) = await SendAsync(host, Post(body));

        Assert.Equal(expected, status);
    }

    [Fact]
    public async Task JSON_that_nests_too_deep_is_refused()
    {
        await using var host = await TestHost.StartAsync();
        var deep = new string('[', 40) + new string(']', 40);

        var (status, _) = await SendAsync(
            host,
            Post("{\"query\":\"{checkpoint}\",\"variables\":{\"a\":" + deep + "}}")
        );

        Assert.Equal(400, status);
    }

    [Fact]
    public async Task A_body_over_a_megabyte_is_413()
    {
        await using var host = await TestHost.StartAsync();

        var (status, body) = await SendAsync(host, Post("{\"query\":\"" + new string('x', 1_000_000) + "\"}"));

        Assert.Equal(413, status);
        Assert.Equal("BODY_TOO_LARGE", Code(body));
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("multipart/form-data; boundary=x")]
    [InlineData("application/json; charset=iso-8859-1")]
    [InlineData(null)]
    public async Task Only_JSON_in_UTF_8_is_read(string? contentType)
    {
        await using var host = await TestHost.StartAsync();
        var request = Post("""{"query":"{checkpoint}"}""");
        request.Content!.Headers.ContentType = contentType is null ? null : MediaTypeHeaderValue.Parse(contentType);

        Assert.Equal(415, (await SendAsync(host, request)).Status);
    }

    [Fact]
    public async Task A_query_may_come_by_GET_and_a_mutation_may_not_cached_or_new()
    {
        await using var host = await TestHost.StartAsync();
        const string Mutation =
            "mutation{carryOutPromotion(model:\"m\",version:1,target:{stage:STAGING}){receipt{id}}}";

        var query = await SendAsync(host, Get("{checkpoint}"));
        var fresh = await SendAsync(host, Get(Mutation), "manager");
        await host.AskAsync(Mutation, "manager");
        await host.AskAsync(Mutation, "manager");
        host.World.Moves.Clear();
        var cached = await SendAsync(host, Get(Mutation), "manager");

        Assert.Equal((200, 405, 405), (query.Status, fresh.Status, cached.Status));
        Assert.Equal("POST_REQUIRED", Code(cached.Body));
        Assert.Empty(host.World.Moves);
    }

    [Theory]
    [InlineData("cross-site", 403)]
    [InlineData("same-site", 403)]
    [InlineData("same-origin", 200)]
    [InlineData("none", 200)]
    public async Task A_GET_from_another_site_is_refused(string site, int expected)
    {
        await using var host = await TestHost.StartAsync();
        var request = Get("{checkpoint}");
        request.Headers.Add("Sec-Fetch-Site", site);

        Assert.Equal(expected, (await SendAsync(host, request)).Status);
    }

    [Theory]
    [InlineData("https://evil.example", 403)]
    [InlineData("null", 403)]
    [InlineData("http://localhost:81", 403)]
    [InlineData("http://localhost", 200)]
    public async Task A_foreign_Origin_is_refused(string origin, int expected)
    {
        await using var host = await TestHost.StartAsync();
        var request = Post("""{"query":"{checkpoint}"}""");
        request.Headers.Add("Origin", origin);

        Assert.Equal(expected, (await SendAsync(host, request)).Status);
    }

    [Fact]
    public async Task A_request_that_rides_on_a_cookie_needs_the_preflight_header()
    {
        await using var host = await TestHost.StartAsync();
        var bare = Post("""{"query":"{checkpoint}"}""");
        bare.Headers.Add("Cookie", "session=viewer");
        var own = Post("""{"query":"{checkpoint}"}""");
        own.Headers.Add("Cookie", "session=viewer");
        own.Headers.Add("GraphQL-Require-Preflight", "1");

        Assert.Equal(403, (await SendAsync(host, bare, token: null)).Status);
        Assert.Equal(200, (await SendAsync(host, own, token: null)).Status);
    }

    [Theory]
    [InlineData(null, "application/json")]
    [InlineData("*/*", "application/json")]
    [InlineData("application/*", "application/json")]
    [InlineData("application/graphql-response+json", "application/graphql-response+json")]
    [InlineData("application/json;q=0.5, application/graphql-response+json", "application/graphql-response+json")]
    [InlineData("text/event-stream, application/json;q=0.1", "application/json")]
    public async Task The_answer_comes_in_the_type_that_was_asked_for(string? accept, string expected)
    {
        await using var host = await TestHost.StartAsync();
        using var client = host.Client("viewer");
        using var request = Get("{checkpoint}", accept);

        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal($"{expected}; charset=utf-8", response.Content.Headers.ContentType!.ToString());
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("text/event-stream")]
    public async Task A_type_that_is_not_served_is_406(string accept)
    {
        await using var host = await TestHost.StartAsync();

        Assert.Equal(406, (await SendAsync(host, Get("{checkpoint}", accept))).Status);
    }

    [Fact]
    public async Task A_WebSocket_is_told_that_subscriptions_are_not_served()
    {
        await using var host = await TestHost.StartAsync();
        var request = Get("{checkpoint}");
        request.Headers.Add("Upgrade", "websocket");

        var (status, body) = await SendAsync(host, request);

        Assert.Equal(501, status);
        Assert.Equal("SUBSCRIPTIONS_NOT_SERVED", Code(body));
    }

    [Fact]
    public async Task The_page_loads_nothing_from_elsewhere_and_no_inline_script()
    {
        await using var host = await TestHost.StartAsync();
        using var client = host.Client("viewer");

        using var response = await client.GetAsync("/graphql/ui", TestContext.Current.CancellationToken);
        var html = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        var script = await client.GetStringAsync("/graphql/ui.js", TestContext.Current.CancellationToken);

        var policy = response.Headers.GetValues("Content-Security-Policy").Single();
        Assert.StartsWith("default-src 'none'; script-src 'self';", policy);
        Assert.DoesNotContain("unsafe", policy);
        Assert.DoesNotContain("://", html + script);
        Assert.DoesNotContain("innerHTML", script);
        Assert.Contains("GraphQL-Require-Preflight", script);
    }

    private static HttpRequestMessage Post(string body) =>
        new(HttpMethod.Post, "/graphql") { Content = new StringContent(body, Encoding.UTF8, Json) };

    private static HttpRequestMessage Get(string query, string? accept = Json)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/graphql?query=" + Uri.EscapeDataString(query));
        if (accept is not null)
        {
            request.Headers.Accept.ParseAdd(accept);
        }

        return request;
    }

    private static async Task<(int Status, string Body)> SendAsync(
        TestHost host,
        HttpRequestMessage request,
        string? token = "viewer"
    )
    {
        using var client = host.Client(token);
        using var sent = request;
        using var response = await client.SendAsync(sent, TestContext.Current.CancellationToken);
        return (
            (int)response.StatusCode,
            await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)
        );
    }

    private static string Code(string body) => (string)JsonNode.Parse(body)!["errors"]![0]!["extensions"]!["code"]!;
}
