using Governance.Kernel;
using Governance.Registry.Contracts;

namespace Governance.Tests.Registry;

/// <summary>What happens between a decision and its move: every case gathers the state, lets another move commit, then moves.</summary>
public sealed class MoverRaceTests
{
    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(MoveKind.DeleteVersion, "")]
    [InlineData(MoveKind.SetStage, "Archived")]
    [InlineData(MoveKind.SetStage, "None")]
    public async Task A_version_that_got_an_alias_after_the_decision_is_not_moved(MoveKind kind, string target)
    {
        await using var host = await RegistryHost.StartAsync();
        await host.VersionAsync("m");
        var move = new Move(new("m", 1), kind, target, false);
        var expected = await ExpectationAsync(host, move);

        await AliasAsync(host, 1, "champion");

        Assert.Equal("registry.changed", (await MoveAsync(host, move, expected)).Failure?.Code);
        await host.OkAsync("GET", "registered-models/alias?name=m&alias=champion");
        Assert.True((await MoveAsync(host, move, await ExpectationAsync(host, move))).Ok);
    }

    [Fact]
    public async Task A_version_that_lost_its_alias_after_the_decision_is_not_moved()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        await host.RegisterAsync("m", $"mlflow-artifacts:/{path}", null);
        await AliasAsync(host, 1, "champion");
        var move = new Move(new("m", 1), MoveKind.DeleteVersion, "", false);
        var expected = await ExpectationAsync(host, move);

        await AliasAsync(host, 2, "champion");

        Assert.Equal("registry.changed", (await MoveAsync(host, move, expected)).Failure?.Code);
    }

    [Fact]
    public async Task A_version_that_was_tagged_after_the_decision_is_not_moved()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.VersionAsync("m");
        var move = new Move(new("m", 1), MoveKind.SetStage, "Production", false);
        var expected = await ExpectationAsync(host, move);

        var tag = new
        {
            name = "m",
            version = "1",
            key = "k",
            value = "v",
        };
        await host.OkAsync("POST", "model-versions/set-tag", tag);

        Assert.Equal("registry.changed", (await MoveAsync(host, move, expected)).Failure?.Code);
    }

    [Theory]
    [InlineData(MoveKind.DeleteModel, "")]
    [InlineData(MoveKind.RenameModel, "n")]
    public async Task A_model_whose_alias_holder_was_promoted_after_the_decision_is_not_moved(
        MoveKind kind,
        string target
    )
    {
        await using var host = await RegistryHost.StartAsync();
        await host.VersionAsync("m");
        await AliasAsync(host, 1, "free");
        var move = new Move(new("m", 0), kind, target, false);
        var expected = await ExpectationAsync(host, move);

        var promotion = new
        {
            name = "m",
            version = "1",
            stage = "Production",
        };
        await host.OkAsync("POST", "model-versions/transition-stage", promotion);

        Assert.Equal("registry.changed", (await MoveAsync(host, move, expected)).Failure?.Code);
        Assert.True((await MoveAsync(host, move, await ExpectationAsync(host, move))).Ok);
    }

    [Fact]
    public async Task A_model_that_got_its_name_from_a_deleted_one_is_not_deleted_in_its_place()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.OkAsync("POST", "registered-models/create", new { name = "m" });
        var move = new Move(new("m", 0), MoveKind.DeleteModel, "", false);
        var expected = await ExpectationAsync(host, move);

        await host.OkAsync("DELETE", "registered-models/delete", new { name = "m" });
        await host.OkAsync("POST", "registered-models/create", new { name = "m" });

        Assert.Equal("registry.changed", (await MoveAsync(host, move, expected)).Failure?.Code);
    }

    private static async Task<MoveExpectation> ExpectationAsync(RegistryHost host, Move move)
    {
        var reader = host.Database.Get<IRegistryReader>();
        return await FakeGate.ExpectationAsync(reader, move, await reader.FindVersionAsync(move.Version, Now), Now);
    }

    private static Task<Result<VersionView?>> MoveAsync(RegistryHost host, Move move, MoveExpectation expected) =>
        host.Database.Writer.WriteAsync(
            (session, token) =>
                host.Database.Get<IMover>().MoveAsync(session, Actor.System, move, FakeLedger.Allowed, expected, token),
            Now
        );

    private static Task AliasAsync(RegistryHost host, int version, string alias) =>
        host.OkAsync(
            "POST",
            "registered-models/alias",
            new
            {
                name = "m",
                alias,
                version = $"{version}",
            }
        );
}
