using System.Text;
using Governance.Cli.Server;

namespace Governance.Cli.Tests;

/// <summary>What becomes of the tokens of a sign-in when the server does not answer as one hopes.</summary>
public sealed class SavedTokenTests : IAsyncLifetime
{
    private readonly CliRun _cli = new() { Token = null };
    private FakeGateway _gateway = null!;
    private SavedTokens _saved = null!;

    public async ValueTask InitializeAsync()
    {
        _gateway = await FakeGateway.StartAsync();
        _cli.Write("ca.pem", _gateway.AuthorityPem);
        _saved = new SavedTokens(_cli.Surroundings, new Uri(_gateway.Address));
        _saved.Write(new SavedToken("access", "refresh", DateTimeOffset.UnixEpoch));
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _cli.Dispose();
    }

    [Theory]
    [InlineData(429, "")]
    [InlineData(400, """{"error":"temporarily_unavailable"}""")]
    [InlineData(500, """{"error":"server_error"}""")]
    [InlineData(502, "<html>")]
    [InlineData(503, "")]
    public async Task A_server_that_cannot_renew_now_leaves_the_sign_in(int status, string body)
    {
        _gateway.Answer = _ => (status, Encoding.UTF8.GetBytes(body));

        var answer = await RunAsync("whoami");

        Assert.NotEqual(0, answer.Exit);
        Assert.Equal("refresh", _saved.Read()?.RefreshToken);
        Assert.Equal("POST /connect/token", Asked(Assert.Single(_gateway.Requests)));
    }

    [Fact]
    public async Task A_refresh_token_that_is_no_longer_good_ends_the_sign_in()
    {
        _gateway.AnswerJson("""{"error":"invalid_grant"}""", 400);

        var answer = await RunAsync("whoami");

        Assert.Equal(2, answer.Exit);
        Assert.StartsWith("cli.signed_out", answer.Error, StringComparison.Ordinal);
        Assert.Null(_saved.Read());
    }

    [Theory]
    [InlineData(429, "")]
    [InlineData(500, """{"error":"server_error"}""")]
    [InlineData(500, """{"code":"gateway.fault"}""")]
    [InlineData(503, "")]
    public async Task A_sign_out_that_the_server_did_not_do_is_not_said_to_be_done(int status, string body)
    {
        _gateway.Answer = _ => (status, Encoding.UTF8.GetBytes(body));

        var answer = await RunAsync("logout");

        Assert.Equal((1, ""), (answer.Exit, answer.Out));
        Assert.StartsWith("cli.sign_in_refused", answer.Error, StringComparison.Ordinal);
        Assert.NotNull(_saved.Read());
    }

    [Fact]
    public async Task A_sign_out_revokes_both_tokens()
    {
        _gateway.AnswerJson("{}");

        var answer = await RunAsync("logout");

        Assert.Equal(0, answer.Exit);
        Assert.Null(_saved.Read());
        Assert.Equal(["POST /connect/revoke", "POST /connect/revoke"], _gateway.Requests.Select(Asked));
        Assert.Equal(
            ["token=refresh&client_id=governance-cli", "token=access&client_id=governance-cli"],
            _gateway.Requests.Select(request => request.Body)
        );
    }

    [Fact]
    public async Task One_at_a_time_changes_the_tokens()
    {
        var (inside, most) = (0, 0);

        await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(_ =>
                    Task.Run(async () =>
                    {
                        for (var round = 0; round < 10; round++)
                        {
                            using var locked = await _saved.LockAsync(TestContext.Current.CancellationToken);
                            var now = Interlocked.Increment(ref inside);
                            most = Math.Max(most, now);
                            await Task.Yield();
                            Interlocked.Decrement(ref inside);
                        }
                    })
                )
        );

        Assert.Equal(1, most);
    }

    private static string Asked(Seen seen) => $"{seen.Method} {seen.Address}";

    private Task<Answer> RunAsync(string verb) =>
        _cli.RunAsync(verb, "--server", _gateway.Address, "--ca", _cli.At("ca.pem"));
}
