using System.Net;
using System.Text.Json.Nodes;
using Governance.Tests.Identity;

namespace Governance.Gateway.Tests.Live;

/// <summary>Services and the issuer's keys, managed by the program itself.</summary>
[Collection(GatewayTests.Name)]
public sealed class CommandLineServiceTests(LiveGateway gateway) : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("govern-home-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task A_service_is_created_shown_given_another_secret_disabled_and_changed()
    {
        var made = await GovernAsync("service", "create", "by-command", "--role", "viewer", "--format", "json");
        Assert.True(made.ExitCode == 0, made.Errors);
        var (id, first) = SecretOf(made);
        Assert.Equal(HttpStatusCode.OK, await TokenAsync(first));
        Assert.Contains($"{id} by-command: viewer", (await GovernAsync("service", "list")).Output);

        var (_, second) = SecretOf(
            await GovernAsync("service", "secret", id, "--overlap-hours", "0", "--format", "json")
        );
        Assert.Equal(HttpStatusCode.Unauthorized, await TokenAsync(first));
        Assert.Equal(HttpStatusCode.OK, await TokenAsync(second));

        Assert.Equal(0, (await GovernAsync("service", "disable", id)).ExitCode);
        Assert.Equal(HttpStatusCode.Unauthorized, await TokenAsync(second));
        Assert.Equal(0, (await GovernAsync("service", "enable", id)).ExitCode);
        Assert.Equal(HttpStatusCode.OK, await TokenAsync(second));

        using var key = new ClientKey();
        var keys = Path.Combine(_home, "keys.json");
        await File.WriteAllTextAsync(
            keys,
            new JsonObject { ["keys"] = new JsonArray(key.Public) }.ToJsonString(),
            TestContext.Current.CancellationToken
        );
        var changed = await GovernAsync("service", "change", id, "--method", "private_key_jwt", "--jwks", keys);
        Assert.True(changed.ExitCode == 0, changed.Errors);
        Assert.Equal(HttpStatusCode.Unauthorized, await TokenAsync(second));
        var shown = (await GovernAsync("service", "show", id)).Output;
        Assert.StartsWith($"{id} by-command: private_key_jwt", shown, StringComparison.Ordinal);
        Assert.DoesNotContain(second, shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_issuers_next_key_is_made_and_published()
    {
        var before = await GovernAsync("issuer-key", "list");
        var after = await GovernAsync("issuer-key", "rotate");

        Assert.Equal((0, 0), (before.ExitCode, after.ExitCode));
        Assert.Single(before.Output.Split('\n'), line => line.EndsWith("(signs now)", StringComparison.Ordinal));
        Assert.Equal(before.Output.Split('\n').Length + 1, after.Output.Split('\n').Length);
        var jwks = await gateway
            .Anonymous()
            .GetStringAsync(new Uri("/.well-known/jwks", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(
            after.Output.Trim().Split('\n').Length,
            JsonNode.Parse(jwks)!["keys"]!.AsArray().Count(key => key!["use"]!.GetValue<string>() == "sig")
        );
    }

    [Fact]
    public async Task Who_is_no_administrator_manages_no_service()
    {
        var refused = await GovernProgram.RunAsync(
            gateway,
            _home,
            gateway.TokenOf("dana"),
            null,
            "service",
            "create",
            "not-by-dana"
        );

        Assert.Equal(1, refused.ExitCode);
        Assert.Equal("", refused.Output);
    }

    private Task<ChildProcess> GovernAsync(params string[] args) =>
        GovernProgram.RunAsync(gateway, _home, gateway.TokenOf("admin"), null, args);

    private static (string Id, string Secret) SecretOf(ChildProcess run)
    {
        var json = JsonNode.Parse(run.Output)!;
        return (json["id"]!.GetValue<string>(), json["clientSecret"]!.GetValue<string>());
    }

    private async Task<HttpStatusCode> TokenAsync(string secret)
    {
        using var form = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["grant_type"] = "client_credentials",
                ["client_id"] = "by-command",
                ["client_secret"] = secret,
            }
        );
        using var answer = await gateway
            .Anonymous()
            .PostAsync(new Uri("/connect/token", UriKind.Relative), form, TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }
}
