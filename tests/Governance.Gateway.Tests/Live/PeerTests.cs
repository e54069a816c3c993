using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Governance.Gateway.Tests.Live;

/// <summary>Programs of other people accept what comes out of the gateway.</summary>
[Collection(GatewayTests.Name)]
public sealed class PeerTests(LiveGateway gateway) : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("governance-peers-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task The_stock_sigstore_verifier_accepts_the_served_bundle_and_refuses_changed_ones()
    {
        var model = await new Story(gateway).ModelAsync("peer-bundle");

        var run = await ChildProcess.NodeAsync(
            "sigstore/verify.mjs",
            await SaveAsync("bundle.json", $"/api/v1/models/{model}/versions/1/bundle"),
            await SaveAsync("keys.pem", "/.well-known/governance/keys.pem"),
            await SaveAsync("trusted_root.json", "/.well-known/governance/trusted_root.json")
        );

        Assert.True(run.ExitCode == 0, run.Output + run.Errors);
        Assert.StartsWith("verified in identity mode", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("ACCEPTED", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_stock_cyclonedx_validator_accepts_the_served_bill_of_materials()
    {
        var model = await new Story(gateway).ModelAsync("peer-sbom");

        var run = await ChildProcess.NodeAsync(
            "cyclonedx/validate.mjs",
            await SaveAsync("sbom.json", $"/api/v1/models/{model}/versions/1/sbom")
        );

        Assert.True(run.ExitCode == 0, run.Output + run.Errors);
    }

    [Fact]
    public async Task The_graphql_over_http_audits_find_no_must_failure()
    {
        var run = await ChildProcess.NodeAsync(
            "graphql-http/audit.mjs",
            $"{gateway.Url}/graphql",
            gateway.TokenOf("ada"),
            gateway.AuthorityPath
        );

        Assert.True(run.ExitCode == 0, run.Output + run.Errors);
        Assert.Matches(@"MUST: (\d\d+)/\1\b", run.Output);
    }

    [Theory]
    [InlineData("-tls1_2", true)]
    [InlineData("-tls1_3", true)]
    [InlineData("-tls1_1", false)]
    [InlineData("-tls1", false)]
    public async Task Only_tls_1_2_and_1_3_are_spoken(string version, bool spoken)
    {
        // SECLEVEL 0 lets the client offer what the server must refuse.
        var run = await OpenSslAsync(version, "-cipher", "ALL:@SECLEVEL=0");

        Assert.Equal(spoken, run.ExitCode == 0);
        Assert.Equal(
            spoken,
            run.Output.Contains("Verify return code: 0 (ok)", StringComparison.Ordinal)
                && run.Output.Contains("BEGIN CERTIFICATE", StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData("ECDHE-ECDSA-AES256-GCM-SHA384", true)]
    [InlineData("ECDHE-ECDSA-AES128-SHA256", false)]
    [InlineData("ECDHE-ECDSA-AES256-SHA", false)]
    [InlineData("AES128-SHA", false)]
    public async Task Tls_1_2_takes_authenticated_encryption_with_forward_secrecy_only(string cipher, bool spoken)
    {
        var run = await OpenSslAsync("-tls1_2", "-cipher", $"{cipher}:@SECLEVEL=0");

        Assert.Equal(spoken, run.ExitCode == 0);
    }

    [Fact]
    public async Task Plain_http_gets_no_http_answer()
    {
        using var tcp = new TcpClient();
        await tcp.ConnectAsync("localhost", new Uri(gateway.Url).Port, TestContext.Current.CancellationToken);
        await using var stream = tcp.GetStream();
        await stream.WriteAsync(
            "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray(),
            TestContext.Current.CancellationToken
        );
        var answer = new byte[4096];
        var length = 0;
        try
        {
            length = await stream.ReadAsync(answer, TestContext.Current.CancellationToken);
        }
        catch (IOException)
        {
            // Closed without a word: as good as a TLS alert.
        }

        Assert.DoesNotContain("HTTP/", Encoding.Latin1.GetString(answer, 0, length), StringComparison.Ordinal);
    }

    private Task<ChildProcess> OpenSslAsync(params string[] args) =>
        ChildProcess.RunAsync(
            "openssl",
            [
                "s_client",
                "-connect",
                $"localhost:{new Uri(gateway.Url).Port}",
                "-servername",
                "localhost",
                "-CAfile",
                gateway.AuthorityPath,
                .. args,
            ],
            TimeSpan.FromSeconds(30)
        );

    private async Task<string> SaveAsync(string name, string path)
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
