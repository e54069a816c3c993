using System.Net;
using System.Text.Json.Nodes;
using Governance.Identity;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Governance.Tests.Identity;

/// <summary>Permissions that the settings keep for tokens bound to a key or certificate.</summary>
public sealed class BoundPermissionTests : IAsyncLifetime
{
    private readonly ClientKey _key = new();
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() =>
        _host = await IdentityHost.StartAsync(options => options.BoundPermissions = "model:read, identity:manage");

    public ValueTask DisposeAsync()
    {
        _key.Dispose();
        return _host.DisposeAsync();
    }

    [Fact]
    public async Task A_bearer_token_is_refused_with_what_would_do()
    {
        using var client = _host.Client(await _host.ServiceTokenAsync("ci-bot", "viewer"));

        using var refused = await client.GetAsync("/probe/models/x", TestContext.Current.CancellationToken);
        var me = await client.GetStringAsync("/api/v1/whoami", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        var body = await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal("identity.bound_token_needed", JsonNode.Parse(body)!["code"]!.ToString());
        Assert.Equal(
            [
                "DPoP realm=\"governance\", error=\"invalid_token\", error_description=\"This needs a bound token.\"",
                "Bearer realm=\"governance\"",
            ],
            refused.Headers.WwwAuthenticate.Select(challenge => challenge.ToString())
        );
        Assert.DoesNotContain("model:read", me, StringComparison.Ordinal);
        Assert.Contains("experiment:read", me, StringComparison.Ordinal);
        Assert.Contains(
            _host.Log.Entries,
            entry => entry.Kind == "access.denied" && entry.Details["code"]!.ToString() == "identity.bound_token_needed"
        );
    }

    [Fact]
    public async Task A_token_bound_to_a_key_does()
    {
        var token = await DpopTests.ServiceTokenAsync(_host, _key);
        using var client = _host.Client();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/probe/models/x", UriKind.Relative));
        request.Headers.TryAddWithoutValidation("Authorization", $"DPoP {token}");
        request.Headers.Add("DPoP", _key.Proof("GET", $"{_host.Url}/probe/models/x", token));

        using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_token_bound_to_a_certificate_does()
    {
        using var certificate = ClientKey.Certificate();
        var (_, secret) = await _host.EnrolServiceAsync("tls-bot", "viewer");
        using var issuer = _host.Client(certificate);
        using var form = new FormUrlEncodedContent(IdentityHost.ClientCredentials("tls-bot", secret));
        using var issued = await issuer.PostAsync("/connect/token", form, TestContext.Current.CancellationToken);
        var body = await issued.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        using var client = _host.Client(certificate, JsonNode.Parse(body)!["access_token"]!.ToString());

        using var answer = await client.GetAsync("/probe/models/x", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_handler_that_asks_by_itself_hears_no_as_well()
    {
        var (id, _) = await _host.EnrolServiceAsync("ci-bot", "viewer");
        var access = _host.Services.GetRequiredService<IAccess>();
        var bearer = new Actor(ActorKind.Service, id);
        var target = AccessTarget.Model("x", null);

        var unbound = await access.RightsNowAsync(bearer, TestContext.Current.CancellationToken);
        var bound = await access.RightsNowAsync(
            bearer with
            {
                SenderConstrained = true,
            },
            TestContext.Current.CancellationToken
        );

        Assert.False(unbound.Allows(Permissions.ModelRead, target));
        Assert.True(unbound.Explain(Permissions.ModelRead, target).Withheld);
        Assert.True(bound.Allows(Permissions.ModelRead, target));
        Assert.True(unbound.Allows(Permissions.EvidenceRead, target));
        Assert.Equal(ActorKind.Service, unbound.SubjectKind);
    }

    [Fact]
    public async Task A_session_of_the_pages_is_not_bound()
    {
        await _host.EnrolPersonAsync("maria", "admin");
        using var browser = _host.Client();
        using var home = await _host.HomeAsync(browser, "maria");

        var page = await home.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        Assert.DoesNotContain("<code>identity:manage</code>", page, StringComparison.Ordinal);
        Assert.Contains("<code>policy:manage</code>", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model:raed")]
    [InlineData("self:read")]
    [InlineData("public")]
    [InlineData("Model:read")]
    public async Task An_unknown_name_keeps_the_gateway_from_starting(string name)
    {
        var problem = await Assert.ThrowsAsync<OptionsValidationException>(() =>
            IdentityHost.StartAsync(options => options.BoundPermissions = name)
        );

        Assert.Contains("BoundPermissions", problem.Message, StringComparison.Ordinal);
    }
}
