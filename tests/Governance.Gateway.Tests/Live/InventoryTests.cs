using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Governance.Gateway.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using OpenIddict.Server;

namespace Governance.Gateway.Tests.Live;

/// <summary>Design §5 invariant 6: deny by default.</summary>
[Collection(GatewayTests.Name)]
public sealed partial class InventoryTests(LiveGateway gateway)
{
    private static readonly string[] Verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"];

    private IReadOnlyList<string> Routes => Inventory.Of([gateway.Services.GetRequiredService<EndpointDataSource>()]);

    [Fact]
    public void The_routes_and_their_permissions_are_the_ones_that_were_reviewed() =>
        GoldenFile.Matches("routes.txt", string.Join('\n', Routes) + "\n");

    [Fact]
    public void A_route_without_a_permission_keeps_the_gateway_from_starting()
    {
        var builder = WebApplication.CreateSlimBuilder();
        using var app = (IDisposable)builder.Build();
        var routes = (IEndpointRouteBuilder)app;
        routes.MapGet("/forgotten", () => "hello");

        var problem = Assert.Throws<InvalidOperationException>(() => Inventory.Of(routes.DataSources));

        Assert.Contains("/forgotten", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_route_that_is_not_public_asks_an_anonymous_caller_for_a_token()
    {
        var client = gateway.Anonymous();
        var wrong = new List<string>();
        foreach (var route in Routes)
        {
            var parts = route.Split(' ');
            var (method, pattern, permission) = (parts[0], string.Join(' ', parts[1..^1]), parts[^1]);
            if (permission == "public")
            {
                continue;
            }

            using var request = new HttpRequestMessage(
                new HttpMethod(method == "*" ? "GET" : method),
                new Uri(Example(pattern), UriKind.Relative)
            );
            using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);
            // A page leads a browser to sign in; everything else says that a token is needed.
            var led =
                pattern is "/" or "/graphql/ui" or "/account/" or "/account/app" or "/account/passkey"
                && method != "POST"
                && answer.StatusCode == HttpStatusCode.Redirect
                && answer
                    .Headers.Location!.ToString()
                    .StartsWith($"{gateway.Url}/connect/authorize?", StringComparison.Ordinal);
            if (!led && (answer.StatusCode != HttpStatusCode.Unauthorized || answer.Headers.WwwAuthenticate.Count == 0))
            {
                wrong.Add($"{route}: {(int)answer.StatusCode}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void Every_way_to_sign_in_is_on_the_page_about_them()
    {
        var page = File.ReadAllText(Path.Combine(Paths.Base, "docs", "reference", "sign-in.md"));
        var server = gateway.Services.GetRequiredService<IOptionsMonitor<OpenIddictServerOptions>>().CurrentValue;
        var pages = Routes
            .Where(route => route.StartsWith("POST /", StringComparison.Ordinal) && route.EndsWith(" public"))
            .Select(route => route.Split(' ')[1])
            .Except(["/connect/authorize", "/connect/token", "/signout"]);
        string[] ways =
        [
            .. pages,
            .. server.GrantTypes,
            .. server.ClientAuthenticationMethods,
            .. server.CodeChallengeMethods,
            "/signin/external/{name}",
            "tls_client_auth",
        ];

        Assert.Contains("/signin/passkey", ways);
        Assert.All(ways, way => Assert.Contains($"`{way}`", page, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/nothing")]
    [InlineData("/api/v1/nothing")]
    [InlineData("/api/v2/datasets")]
    [InlineData("/api/2.0/mlflow/nothing")]
    [InlineData("/ajax-api/2.0/mlflow/nothing")]
    [InlineData("/api/3.0/mlflow/nothing")]
    [InlineData("/v1/nothing")]
    [InlineData("/graphql/ui/nothing")]
    [InlineData("/connect/nothing")]
    [InlineData("/log/nothing")]
    [InlineData("/.well-known/nothing")]
    [InlineData("/.git/config")]
    [InlineData("/metrics/x")]
    [InlineData("/health/x")]
    [InlineData("//")]
    [InlineData("/%2e%2e/etc/passwd")]
    public async Task An_unknown_path_is_404_in_json_for_every_verb(string path)
    {
        foreach (var client in new[] { gateway.Anonymous(), gateway.Http("dana") })
        {
            foreach (var verb in Verbs)
            {
                using var request = new HttpRequestMessage(new HttpMethod(verb), gateway.Url + path);
                using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

                Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
                Assert.Contains("json", answer.Content.Headers.ContentType?.MediaType, StringComparison.Ordinal);
                var body = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                Assert.NotNull(JsonNode.Parse(body));
            }
        }
    }

    [Theory]
    [InlineData("DELETE", "/graphql")]
    [InlineData("PUT", "/api/v1/reports")]
    [InlineData("DELETE", "/api/2.0/mlflow/experiments/create")]
    [InlineData("GET", "/api/2.0/mlflow/experiments/create")]
    [InlineData("POST", "/log/checkpoint")]
    [InlineData("TRACE", "/graphql")]
    [InlineData("PROPFIND", "/api/v1/datasets")]
    [InlineData("FOO", "/api/2.0/mlflow/runs/create")]
    public async Task A_known_path_with_another_verb_is_404_or_405_in_json(string verb, string path)
    {
        using var request = new HttpRequestMessage(new HttpMethod(verb), gateway.Url + path);
        using var answer = await gateway.Http("dana").SendAsync(request, TestContext.Current.CancellationToken);
        var body = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        Assert.True(
            answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed,
            $"{(int)answer.StatusCode}"
        );
        Assert.NotNull(JsonNode.Parse(body));
    }

    private static string Example(string pattern) =>
        Parameter()
            .Replace(
                pattern,
                match =>
                    match.Value.Contains(":guid", StringComparison.Ordinal) ? "11111111-1111-1111-1111-111111111111"
                    : match.Value.Contains(":int", StringComparison.Ordinal)
                    || match.Value.Contains(":long", StringComparison.Ordinal)
                        ? "1"
                    : "x"
            );

    [GeneratedRegex(@"\{[^}]*\}", RegexOptions.None, 1000)]
    private static partial Regex Parameter();
}
