using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Audit.Sequencing;
using Governance.Gateway.Demo;
using Governance.Gateway.Tests.Live;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.PostgreSql.Tests;

/// <summary>Two whole gateways on one PostgreSQL and one data directory, reached over HTTPS, at the same time.</summary>
public sealed class TwoGatewaysTests : IAsyncLifetime
{
    private readonly LiveGateway _first = new() { Rehearse = false };
    private readonly LiveGateway _second;

    public TwoGatewaysTests() => _second = _first.Beside();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private LiveGateway[] Both => [_first, _second];

    public async ValueTask InitializeAsync()
    {
        Assert.True(Governance.Tests.Platform.TestServer.IsPostgreSql, "Set GOVERNANCE_TEST_POSTGRES; test.sh does.");
        await _first.InitializeAsync();
        await _second.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _second.DisposeAsync();
        await _first.DisposeAsync();
    }

    [Fact]
    public async Task Registrations_to_one_model_get_every_number_once()
    {
        var run = await RunWithModelAsync("crowded");
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 24)
                .Select(n =>
                    Both[n % 2]
                        .As("dana")
                        .PostAsync(
                            "model-versions/create",
                            new JsonObject
                            {
                                ["name"] = "crowded",
                                ["source"] = $"runs:/{run}/model",
                                ["run_id"] = run,
                            }
                        )
                )
        );

        Assert.All(answers, answer => Assert.True(answer.Ok, answer.Body.ToJsonString()));
        Assert.Equal(
            Enumerable.Range(1, 24),
            answers.Select(answer => int.Parse(answer.Text("model_version", "version"))).Order()
        );
        await LogHoldsAsync(_first);
    }

    [Fact]
    public async Task Of_a_name_that_many_create_at_once_one_is_made()
    {
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 10)
                .Select(n =>
                    Both[n % 2].As("dana").PostAsync("registered-models/create", new JsonObject { ["name"] = "wanted" })
                )
        );

        Assert.Single(answers, answer => answer.Ok);
        Assert.All(
            answers.Where(answer => !answer.Ok),
            answer => Assert.Equal("RESOURCE_ALREADY_EXISTS", answer.Text("error_code"))
        );
    }

    [Fact]
    public async Task One_approval_carries_out_one_promotion_whichever_gateway_is_asked()
    {
        var story = new Story(_first);
        await story.ModelAsync("contested");
        await story.ApproveAsync(
            Story.RequestOf(await Story.ToStageAsync(_first.As("sam"), "contested", "Production"))
        );

        // The same call through both gateways, many times at once: each either carries it out, or finds it carried out.
        var moves = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(n => Story.ToStageAsync(Both[n % 2].As("sam"), "contested", "Production"))
        );

        Assert.Contains(moves, move => move.Ok);
        Assert.Equal("Production", await new Story(_second).StageAsync("contested"));
        await using var db = await OpenAsync(_first);
        Assert.Equal(
            (1L, 1L),
            (
                await CountAsync(db, "promotion_receipt"),
                await CountAsync(
                    db,
                    "audit_entry WHERE \"Kind\" = 'promotion.carried_out' AND \"Subject\" = 'version:contested/1'"
                )
            )
        );
        await LogHoldsAsync(_second);
    }

    [Fact]
    public async Task Two_versions_that_race_with_one_approval_end_with_exactly_the_approved_one_in_production()
    {
        var story = new Story(_first);
        await story.ModelAsync("raced");
        var copy = await _first
            .As("dana")
            .PostAsync("model-versions/create", new JsonObject { ["name"] = "raced", ["source"] = "models:/raced/1" });
        Assert.True(copy.Ok, copy.Body.ToJsonString());
        await ReadyAsync("raced", "2");
        await story.ApproveAsync(Story.RequestOf(await Story.ToStageAsync(_first.As("sam"), "raced", "Production")));

        var moves = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(n => ToProductionAsync(Both[n % 2], "raced", n / 2 % 2 == 0 ? "1" : "2"))
        );

        Assert.All(moves, move => Assert.True(move.Ok == (move.Version == "1") || move.Version == "1", move.Text));
        Assert.Equal("Production", await StageAsync("raced", "1"));
        Assert.Equal("None", await StageAsync("raced", "2"));
        await using var db = await OpenAsync(_first);
        Assert.Equal(1, await CountAsync(db, "promotion_receipt"));
    }

    [Fact]
    public async Task One_gateway_sequences_and_the_other_takes_over_when_it_is_lost()
    {
        await CreateModelsAsync(_first, "before", 10);
        await LogHoldsAsync(_first);
        var holder = await HolderAsync(_first);
        // Whoever has the role keeps it while it works.
        for (var i = 0; i < 5; i++)
        {
            await CreateModelsAsync(Both[i % 2], $"steady-{i}", 2);
            Assert.Equal(holder, await HolderAsync(_first));
        }

        await _second.LoseAsync();
        await CreateModelsAsync(_first, "after", 4);

        await LogHoldsAsync(_first);
    }

    [Fact]
    public async Task The_log_holds_after_both_wrote_at_once_and_each_checkpoint_extends_the_one_before()
    {
        await Task.WhenAll(Enumerable.Range(0, 40).Select(n => CreateModelsAsync(Both[n % 2], $"busy-{n}", 1)));

        await LogHoldsAsync(_first);
        var log = _second.Services.GetRequiredService<IAuditLog>();
        var checkpoints = await log.CheckpointsAsync(0, 200, Token);
        var audited = await LogTreeAuditor.AuditAsync(
            async (path, token) =>
            {
                if (path == "checkpoint")
                {
                    return Encoding.UTF8.GetBytes((await log.CheckpointAsync(token))!);
                }

                var parts = path.Split('/', 3);
                return await log.TileAsync(parts[1], parts[2], token);
            },
            checkpoints,
            _second.Services.GetRequiredService<ILogKey>().VerifierKey,
            Token
        );
        Assert.True(audited.Ok, audited.Failure?.Message);
    }

    private static Task CreateModelsAsync(LiveGateway gateway, string name, int count) =>
        Task.WhenAll(
            Enumerable
                .Range(0, count)
                .Select(async n =>
                {
                    var answer = await gateway
                        .As("dana")
                        .PostAsync("registered-models/create", new JsonObject { ["name"] = $"{name}-{n}" });
                    Assert.True(answer.Ok, answer.Body.ToJsonString());
                })
        );

    private async Task<string> RunWithModelAsync(string model)
    {
        var dana = _first.As("dana");
        var experiment = await dana.PostAsync("experiments/create", new JsonObject { ["name"] = $"e-{model}" });
        var id = experiment.Text("experiment_id");
        var run = (await dana.PostAsync("runs/create", new JsonObject { ["experiment_id"] = id })).Text(
            "run",
            "info",
            "run_id"
        );
        foreach (var (path, bytes) in Story.Files())
        {
            var put = await dana.PutArtifactAsync($"{id}/{run}/artifacts/model/{path}", bytes);
            Assert.True(put.Ok, put.Body.ToJsonString());
        }

        await CreateModelAsync(dana, model);
        return run;
    }

    private static async Task CreateModelAsync(DemoClient client, string model) =>
        Assert.True((await client.PostAsync("registered-models/create", new JsonObject { ["name"] = model })).Ok);

    private static async Task<(string Version, bool Ok, string Text)> ToProductionAsync(
        LiveGateway gateway,
        string model,
        string version
    )
    {
        var answer = await gateway
            .As("sam")
            .PostAsync(
                "model-versions/transition-stage",
                new JsonObject
                {
                    ["name"] = model,
                    ["version"] = version,
                    ["stage"] = "Production",
                    ["archive_existing_versions"] = false,
                }
            );
        return (version, answer.Ok, $"{version}: {answer.Status} {answer.Body.ToJsonString()}");
    }

    private async Task<string> StageAsync(string model, string version) =>
        (await _second.As("ada").GetAsync($"model-versions/get?name={model}&version={version}")).Text(
            "model_version",
            "current_stage"
        );

    private async Task ReadyAsync(string model, string version)
    {
        for (var i = 0; i < 240; i++)
        {
            var found = await _first.As("dana").GetAsync($"model-versions/get?name={model}&version={version}");
            if (found.Text("model_version", "status") == "READY")
            {
                return;
            }

            await Task.Delay(250, Token);
        }

        Assert.Fail("The version did not become READY.");
    }

    // Waits until everything is sequenced, then reads the whole log as a start does.
    private static async Task LogHoldsAsync(LiveGateway gateway)
    {
        await using var db = await OpenAsync(gateway);
        var serial = await db
            .Database.SqlQueryRaw<long>("SELECT max(\"Serial\") AS \"Value\" FROM audit_entry")
            .SingleAsync(Token);
        for (var i = 0; await CountAsync(db, $"audit_leaf WHERE \"Serial\" = {serial}") == 0; i++)
        {
            Assert.True(i < 100, "The newest entry was not sequenced within ten seconds.");
            await Task.Delay(100, Token);
        }

        var check = await gateway.Services.GetRequiredService<CheckLog>().RunAsync(Token);
        Assert.True(check.Ok, check.Failure?.Code);
    }

    private static async Task<string> HolderAsync(LiveGateway gateway)
    {
        await using var db = await OpenAsync(gateway);
        return (await db.Set<LeaseRow>().SingleAsync(lease => lease.Name == SequenceEntries.Role, Token)).Holder;
    }

    private static Task<GovernanceDb> OpenAsync(LiveGateway gateway) =>
        gateway.Services.GetRequiredService<IDbContextFactory<GovernanceDb>>().CreateDbContextAsync(Token);

    private static Task<long> CountAsync(GovernanceDb db, string what) =>
        db.Database.SqlQueryRaw<long>($"SELECT count(*) AS \"Value\" FROM {what}").SingleAsync(Token);
}
