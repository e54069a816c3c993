using System.Net;
using System.Text.Json.Nodes;
using Governance.Gateway.Hosting;
using Governance.Platform.Keys;
using Governance.Tests;
using Governance.Tests.Platform;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live;

/// <summary>A gateway whose keys lie in a token or in a key service, from registering a version to the stock verifier; and its starts without them.</summary>
public sealed class KeyPlaceTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("governance-key-place-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task With_all_keys_in_a_token_the_stock_verifier_accepts_what_is_registered_before_and_after_they_are_replaced()
    {
        await using var gateway = Gateway(SoftHsm.NewToken(_root));
        await gateway.InitializeAsync();
        var story = new Story(gateway);
        var before = await story.ModelAsync("token-before");
        await story.PromoteAsync(before);
        foreach (var name in new[] { "signing", "ca-signers", "certificate-log", "timestamp", "signature-log" })
        {
            var rotated = await gateway.As("admin").ApiPostAsync($"/api/v1/keys/{name}/rotate", []);
            Assert.Equal((HttpStatusCode.OK, "pkcs11"), (rotated.Status, rotated.Text("place")));
        }

        var after = await new Story(gateway).ModelAsync("token-after");

        // Whoever asked for the directory's lock gives it back at the end.
        _ = gateway.Services.GetRequiredService<DataDirectory>();
        await gateway.LoseAsync();
        await using var second = gateway.Beside();
        await second.InitializeAsync();
        foreach (var model in new[] { before, after })
        {
            var run = await ChildProcess.NodeAsync(
                "sigstore/verify.mjs",
                await SaveAsync(second, "bundle.json", $"/api/v1/models/{model}/versions/1/bundle"),
                await SaveAsync(second, "keys.pem", "/.well-known/governance/keys.pem"),
                await SaveAsync(second, "trusted_root.json", "/.well-known/governance/trusted_root.json")
            );
            Assert.True(run.ExitCode == 0, run.Output + run.Errors);
            Assert.StartsWith("verified in identity mode", run.Output, StringComparison.Ordinal);
        }

        var keys = (await second.As("ada").ApiGetAsync("/api/v1/keys")).Body["items"]!.AsArray();
        Assert.Equal(10, keys.Count);
        Assert.All(keys, key => Assert.Equal("pkcs11", $"{key!["place"]}"));
    }

    [Fact]
    public async Task When_the_key_service_is_gone_what_needs_a_signature_is_refused_and_nothing_changes()
    {
        await using var service = await KmsServer.StartAsync();
        await using var gateway = Gateway(service.Options);
        await gateway.InitializeAsync();
        var story = new Story(gateway);
        var model = await story.ModelAsync("service-gone");
        await story.ApproveAsync(Story.RequestOf(await Story.ToStageAsync(gateway.As("sam"), model, "Production")));

        await service.StopAsync();
        var moved = await Story.ToStageAsync(gateway.As("sam"), model, "Production");
        var rotated = await gateway.As("admin").ApiPostAsync("/api/v1/keys/signing/rotate", []);
        var root = await gateway.As("ada").BytesAsync("/.well-known/governance/trusted_root.json");

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "keys.unavailable"), (rotated.Status, rotated.Text("code")));
        Assert.NotEmpty(root);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "keys.unavailable"), (moved.Status, moved.Text("code")));
        Assert.Equal("None", await story.StageAsync(model));
    }

    [Theory]
    [InlineData("pin", "refuses the PIN")]
    [InlineData("token", "There is no PKCS#11 token")]
    [InlineData("module", "/nowhere/module.so, which is not there")]
    [InlineData("library", "cannot be loaded as a PKCS#11 library")]
    [InlineData("pinfile", "which is not there")]
    public async Task A_start_without_token_or_pin_is_refused_in_one_sentence(string missing, string sentence)
    {
        var token = SoftHsm.NewToken(_root, pin: missing == "pin" ? "not-the-pin" : SoftHsm.Pin).Pkcs11;
        var empty = Directory.CreateDirectory(Path.Combine(_root, "empty")).FullName;
        var configuration = Path.Combine(_root, "softhsm2.conf");
        await File.WriteAllTextAsync(
            configuration,
            $"directories.tokendir = {empty}\n",
            TestContext.Current.CancellationToken
        );

        var run = await ChildProcess.RunAsync(
            "dotnet",
            [
                typeof(GatewayHost).Assembly.Location,
                $"--Governance:DataDirectory={_root}/data",
                $"--Governance:KeyFile={_root}/kek",
                $"--Governance:Urls=https://localhost:{FreePort.Find()}",
                "--Governance:Keys:Provider=pkcs11",
                $"--Governance:Keys:Pkcs11:Module={Module(missing)}",
                $"--Governance:Keys:Pkcs11:Token={token.Token}",
                $"--Governance:Keys:Pkcs11:PinFile={(missing == "pinfile" ? "/nowhere/pin" : token.PinFile)}",
            ],
            TimeSpan.FromMinutes(2),
            environment: new Dictionary<string, string?>
            {
                ["SOFTHSM2_CONF"] = missing == "token" ? configuration : SoftHsm.Configuration,
            }
        );

        Assert.Equal(2, run.ExitCode);
        Assert.Contains(sentence, run.Errors, StringComparison.Ordinal);
        Assert.Single(run.Errors.Trim().Split('\n'));
        Assert.DoesNotContain("not-the-pin", run.Output + run.Errors, StringComparison.Ordinal);
    }

    private static string Module(string missing) =>
        missing switch
        {
            "module" => "/nowhere/module.so",
            "library" => typeof(GatewayHost).Assembly.Location,
            _ => SoftHsm.Module,
        };

    private static LiveGateway Gateway(KeyOptions keys) =>
        new()
        {
            Settings = new Dictionary<string, string?>
            {
                ["Governance:Signing:RotationLeadSeconds"] = "0",
                ["Governance:Keys:Provider"] = keys.Provider,
                ["Governance:Keys:TimeoutSeconds"] = "5",
                ["Governance:Keys:Pkcs11:Module"] = keys.Pkcs11.Module,
                ["Governance:Keys:Pkcs11:Token"] = keys.Pkcs11.Token,
                ["Governance:Keys:Pkcs11:PinFile"] = keys.Pkcs11.PinFile,
                ["Governance:Keys:AwsKms:Region"] = keys.AwsKms.Region,
                ["Governance:Keys:AwsKms:Endpoint"] = keys.AwsKms.Endpoint,
                ["Governance:Keys:AwsKms:CredentialFile"] = keys.AwsKms.CredentialFile,
                ["Governance:Keys:AwsKms:Authorities"] = keys.AwsKms.Authorities,
            },
        };

    private async Task<string> SaveAsync(LiveGateway gateway, string name, string path)
    {
        var file = Path.Combine(_root, name);
        await File.WriteAllBytesAsync(
            file,
            await gateway.As("ada").BytesAsync(path),
            TestContext.Current.CancellationToken
        );
        return file;
    }
}
