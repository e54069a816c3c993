using System.Net;
using Governance.Identity.Contracts;
using Governance.Kernel;

namespace Governance.Gateway.Tests.Live;

/// <summary>Accounts of persons, shut and opened by the program itself.</summary>
[Collection(GatewayTests.Name)]
public sealed class CommandLinePersonTests(LiveGateway gateway) : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("govern-home-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task Who_leaves_is_shut_out_at_once_and_let_in_again_by_two_administrators()
    {
        var id = await gateway.PersonAsync("leaver", new RoleGrant("viewer", ObjectKind.None, ""));

        var disabled = await GovernAsync("person", "disable", id);
        var shut = await WhoAsync();
        var enabled = await GovernAsync("person", "enable", id);
        var waiting = await GovernAsync("confirmation", "list");
        var logins = await GovernAsync("person", "logins", id);
        var unknown = await GovernAsync("person", "disable", "nobody");

        Assert.Equal((0, "Done.\n"), (disabled.ExitCode, disabled.Output));
        Assert.Equal(HttpStatusCode.Unauthorized, shut);
        Assert.True(enabled.ExitCode == 0, enabled.Errors);
        Assert.StartsWith("Held until another administrator confirms", enabled.Output, StringComparison.Ordinal);
        Assert.Contains(id, waiting.Output, StringComparison.Ordinal);
        Assert.Equal((0, ""), (logins.ExitCode, logins.Output));
        Assert.Equal(1, unknown.ExitCode);
    }

    private async Task<HttpStatusCode> WhoAsync() => (await gateway.As("leaver").ApiGetAsync("/api/v1/whoami")).Status;

    private Task<ChildProcess> GovernAsync(params string[] args) =>
        GovernProgram.RunAsync(gateway, _home, gateway.TokenOf("admin"), null, args);
}
