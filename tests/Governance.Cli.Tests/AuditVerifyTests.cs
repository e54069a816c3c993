using System.Text;

namespace Governance.Cli.Tests;

/// <summary>An audit of the log from outside: the server is not trusted, what was kept is.</summary>
public sealed class AuditVerifyTests : IAsyncLifetime
{
    private readonly CliRun _cli = new();
    private readonly Trust _trust = new();
    private FakeGateway _gateway = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await FakeGateway.StartAsync();
        _gateway.Answer = address =>
            address == "GET /log/checkpoint" ? (200, Encoding.UTF8.GetBytes(_trust.Checkpoint()))
            : _trust.Tile(address.Replace("GET /log/", "")) is { } tile ? (200, tile)
            : null;
        _cli.Write("ca.pem", _gateway.AuthorityPem);
        _cli.Write("root.json", _trust.Root);
        _trust.Append(5);
    }

    public async ValueTask DisposeAsync()
    {
        _cli.Dispose();
        _trust.Dispose();
        await _gateway.DisposeAsync();
    }

    [Fact]
    public async Task A_log_that_grows_verifies_against_what_was_kept()
    {
        var first = await AuditAsync("--keep", _cli.At("kept"));
        _trust.Append(3);

        var second = await AuditAsync("--keep", _cli.At("kept"));

        Assert.Equal((0, 0, ""), (first.Exit, second.Exit, second.Error));
        Assert.Contains("8 entries", second.Out);
        Assert.Contains("No kept checkpoint to compare with", first.Out);
        Assert.Contains("Checkpoints kept earlier are prefixes of the same log: 1.", second.Out);
        Assert.Equal(_trust.Checkpoint(), File.ReadAllText(_cli.At("kept")));
    }

    [Fact]
    public async Task A_rewritten_log_is_found_by_the_checkpoint_that_was_kept()
    {
        var kept = _cli.Write("kept", _trust.Checkpoint());
        _trust.Forge(2);
        _trust.Append(1);

        var answer = await AuditAsync("--since", kept, "--keep", kept);

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("audit.root_mismatch:", answer.Error);
        Assert.StartsWith("localhost:8443/log\n5\n", File.ReadAllText(kept));
    }

    [Fact]
    public async Task A_log_of_another_key_is_refused()
    {
        using var other = new Trust();
        _cli.Write("root.json", other.Root);

        var answer = await AuditAsync();

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("audit.bad_checkpoint:", answer.Error);
    }

    [Fact]
    public async Task A_log_without_its_tiles_is_refused()
    {
        var checkpoint = Encoding.UTF8.GetBytes(_trust.Checkpoint());
        _gateway.Answer = address => address == "GET /log/checkpoint" ? (200, checkpoint) : null;

        var answer = await AuditAsync("--keep", _cli.At("kept"));

        Assert.Equal(1, answer.Exit);
        Assert.StartsWith("audit.bad_tile:", answer.Error);
        Assert.False(File.Exists(_cli.At("kept")));
    }

    [Fact]
    public async Task The_public_log_is_read_without_the_token()
    {
        await AuditAsync();

        Assert.All(_gateway.Requests, request => Assert.Null(request.Authorization));
    }

    private Task<Answer> AuditAsync(params string[] more) =>
        _cli.RunAsync([
            "audit",
            "verify",
            "--server",
            _gateway.Address,
            "--ca",
            _cli.At("ca.pem"),
            "--trusted-root",
            _cli.At("root.json"),
            .. more,
        ]);
}
