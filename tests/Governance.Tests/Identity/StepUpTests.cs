using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

/// <summary>What administers takes a person who signed in lately: every route that changes something, whichever is added.</summary>
public sealed class StepUpTests : IAsyncLifetime
{
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() =>
        _host = await IdentityHost.StartAsync(options => options.AccessTokenMinutes = 120);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task An_old_sign_in_changes_nothing_and_still_reads()
    {
        using var ada = await _host.AdminAsync("ada");
        _host.Clock.Advance(TimeSpan.FromMinutes(16));

        foreach (var (method, path) in Administration())
        {
            using var answer = await SendAsync(ada, method, path);

            Assert.Equal((path, HttpStatusCode.Unauthorized), (path, answer.StatusCode));
            Assert.Equal("identity.reauthentication_needed", await CodeAsync(answer));
            var challenge = answer.Headers.WwwAuthenticate.ToString();
            Assert.Contains("error=\"insufficient_user_authentication\"", challenge, StringComparison.Ordinal);
            Assert.Contains("max_age=900", challenge, StringComparison.Ordinal);
        }

        using var read = await ada.GetAsync("/api/v1/grants", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, read.StatusCode);
        Assert.Equal(
            Administration().Count,
            _host.Log.Entries.Count(entry =>
                entry.Kind == "access.denied"
                && entry.Outcome == LogOutcome.Refused
                && entry.Details["code"]!.ToString() == "identity.reauthentication_needed"
            )
        );
    }

    [Fact]
    public async Task A_service_administers_nothing_and_still_reads()
    {
        using var bot = _host.Client(await _host.ServiceTokenAsync("root-bot", "admin"));

        foreach (var (method, path) in Administration())
        {
            using var answer = await SendAsync(bot, method, path);

            Assert.Equal((path, HttpStatusCode.Forbidden), (path, answer.StatusCode));
            Assert.Equal("identity.persons_only", await CodeAsync(answer));
        }

        using var read = await bot.GetAsync("/api/v1/grants", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, read.StatusCode);
    }

    [Fact]
    public async Task A_sign_in_of_now_does()
    {
        using var ada = await _host.AdminAsync("ada");

        using var made = await SendAsync(ada, "POST", "/api/v1/groups", """{"name":"makers"}""");

        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
    }

    private List<(string Method, string Path)> Administration()
    {
        var found = _host
            .Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.OfType<RouteEndpoint>()
            .Where(route =>
                route.Metadata.GetMetadata<PermissionMetadata>()?.Permission is { } needed
                && (needed == Permissions.IdentityManage || needed == Permissions.PolicyManage)
            )
            .SelectMany(route =>
                route
                    .Metadata.GetMetadata<HttpMethodMetadata>()!
                    .HttpMethods.Where(method => method != "GET")
                    .Select(method =>
                        (
                            method,
                            "/"
                                + route
                                    .RoutePattern.RawText!.Replace(":guid", "", StringComparison.Ordinal)
                                    .Replace("{login}", Guid.Empty.ToString(), StringComparison.Ordinal)
                                    .Replace("{id}", Guid.Empty.ToString(), StringComparison.Ordinal)
                                    .Replace("{subject}", "s", StringComparison.Ordinal)
                                    .TrimStart('/')
                        )
                    )
            )
            .ToList();
        Assert.True(found.Count >= 16, $"{found.Count}");
        return found;
    }

    private static Task<HttpResponseMessage> SendAsync(
        HttpClient client,
        string method,
        string path,
        string body = "{}"
    )
    {
        var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative))
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        return client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    private static async Task<string> CodeAsync(HttpResponseMessage answer) =>
        JsonNode.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))![
            "code"
        ]!.ToString();
}
