using System.Text.Json.Nodes;
using Governance.Gateway.Demo;
using Governance.Tests;

namespace Governance.Gateway.Tests.Live;

public sealed class DemoTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("governance-demo-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task The_demo_holds_every_step_and_leaves_its_credentials_to_the_owner_alone()
    {
        var data = Path.Combine(_root, "data");

        var code = await DemoCommand.RunAsync([
            "--exit",
            $"--Governance:DataDirectory={data}",
            $"--Governance:KeyFile={_root}/demo.kek",
            $"--Governance:Urls=https://localhost:{FreePort.Find()}",
        ]);

        Assert.Equal(0, code);
        var path = Path.Combine(data, "demo", "credentials.json");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        var json = JsonNode.Parse(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken))!;
        Assert.Equal(["accounts"], json.AsObject().Select(member => member.Key));
        var accounts = json["accounts"]!.AsArray();
        Assert.Equal(
            ["admin", "auditor", "data-scientist", "privacy-officer", "release-manager", "reviewer", "viewer"],
            accounts.Select(account => account!["role"]!.ToString()).Distinct().Order(StringComparer.Ordinal)
        );
        foreach (var account in accounts)
        {
            string[] members = ["name", "role", "kind", "access_token", "expires_at"];
            var service = account!["kind"]!.ToString() == "service";
            Assert.Equal(
                service ? [.. members, "client_id", "client_secret"] : members,
                account.AsObject().Select(member => member.Key)
            );
            Assert.True(service || account["kind"]!.ToString() == "person");
            var left = DateTimeOffset.Parse(account["expires_at"]!.ToString()) - TimeProvider.System.GetUtcNow();
            Assert.InRange(left, TimeSpan.FromHours(11), TimeSpan.FromHours(12));
        }
    }

    [Theory]
    [InlineData("--Governance:Urls=https://0.0.0.0:8443")]
    [InlineData("--Governance:Urls=https://*:8443")]
    [InlineData("--Governance:PublicUrl=https://governance.example:8443")]
    public async Task The_demo_listens_on_loopback_only(string setting)
    {
        var problem = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            DemoCommand.RunAsync([
                "--exit",
                $"--Governance:DataDirectory={_root}/data",
                $"--Governance:KeyFile={_root}/demo.kek",
                setting,
            ])
        );

        Assert.Contains("loopback", problem.Message, StringComparison.Ordinal);
    }
}
