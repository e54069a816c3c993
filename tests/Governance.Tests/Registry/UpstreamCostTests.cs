using System.Diagnostics;
using Governance.Kernel;
using Governance.Registry.Contracts;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Microsoft.EntityFrameworkCore;

namespace Governance.Tests.Registry;

/// <summary>What upstream mode costs, counted in requests to the server behind the gateway (docs/reference/upstream.md).</summary>
public sealed class UpstreamCostTests
{
    private const int Models = 100;
    private const int VersionsPerModel = 10;

    [Fact]
    public async Task A_look_at_a_thousand_protected_versions_is_four_requests_and_finds_the_one_that_changed()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await FillAsync(pair.Upstream);
        await FillAsync(pair.Gateway);
        Assert.Empty(await pair.SweepAsync(first: true));
        pair.Arrived.Clear();
        var token = TestContext.Current.CancellationToken;
        var clock = Stopwatch.StartNew();

        Assert.Null(await pair.Gateway.Database.Get<DriftDetector>().SweepAsync(first: false, token));

        var quiet = clock.Elapsed;
        Assert.Equal(4, pair.Arrived.Count);
        await pair.Upstream.OkAsync(
            "POST",
            "model-versions/transition-stage",
            new
            {
                name = "model-077",
                version = "7",
                stage = "Archived",
            }
        );
        clock.Restart();
        Assert.Null(await pair.Gateway.Database.Get<DriftDetector>().SweepAsync(first: false, token));
        TestContext.Current.SendDiagnosticMessage(
            "1,000 protected versions: quiet look {0:0} ms, look that finds one {1:0} ms",
            quiet.TotalMilliseconds,
            clock.Elapsed.TotalMilliseconds
        );
        Assert.True(quiet < TimeSpan.FromSeconds(5), $"a look took {quiet}");
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"a look took {clock.Elapsed}");
        Assert.Equal(["model-077/7 stage"], await pair.OpenAsync());
    }

    [Fact]
    public async Task Each_operation_costs_the_requests_that_the_reference_says()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var path = await pair.Gateway.VersionAsync("m");
        var (experiment, run) = (path.Split('/')[0], path.Split('/')[1]);

        Assert.Equal(0, await CostAsync(pair, "GET", "model-versions/get?name=m&version=1"));
        Assert.Equal(2, await CostAsync(pair, "POST", "experiments/create", new { name = "x" }));
        Assert.Equal(2, await CostAsync(pair, "POST", "runs/create", new { experiment_id = experiment }));
        Assert.Equal(
            1,
            await CostAsync(
                pair,
                "POST",
                "runs/log-batch",
                new
                {
                    run_id = run,
                    metrics = new[]
                    {
                        new
                        {
                            key = "loss",
                            value = 1.0,
                            timestamp = 1,
                            step = 1,
                        },
                    },
                }
            )
        );
        Assert.Equal(1, await CostAsync(pair, "POST", "runs/update", new { run_id = run, status = "FINISHED" }));
        Assert.Equal(
            5,
            await CostAsync(
                pair,
                "POST",
                "registered-models/set-tag",
                new
                {
                    name = "m",
                    key = "k",
                    value = "v",
                }
            )
        );
        Assert.Equal(
            5,
            await CostAsync(
                pair,
                "POST",
                "model-versions/transition-stage",
                new
                {
                    name = "m",
                    version = "1",
                    stage = "Production",
                }
            )
        );
        Assert.Equal(
            3,
            await CostAsync(
                pair,
                "POST",
                "model-versions/create",
                new
                {
                    name = "m",
                    source = $"mlflow-artifacts:/{path}",
                    run_id = run,
                }
            )
        );
    }

    private static async Task<int> CostAsync(UpstreamPair pair, string method, string path, object? body = null)
    {
        pair.Arrived.Clear();
        await pair.Gateway.OkAsync(method, path, body);
        return pair.Arrived.Count;
    }

    // The same rows on both sides, as if the gateway had made them; every version is protected.
    private static async Task FillAsync(RegistryHost host)
    {
        var digest = Manifest.Create([]).Value.Digest.Hex;
        for (var first = 0; first < Models; first += 10)
        {
            var from = first;
            await host.Database.Writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    for (var i = from; i < from + 10; i++)
                    {
                        var model = new ModelRow
                        {
                            Id = Guid.CreateVersion7(session.Now),
                            Name = $"model-{i:000}",
                            OwnerId = "ds",
                        };
                        session.Db.Add(model);
                        session.Db.Add(
                            new ModelNameRow
                            {
                                Name = model.Name,
                                ModelId = model.Id,
                                NextVersion = VersionsPerModel + 1,
                            }
                        );
                        for (var number = 1; number <= VersionsPerModel; number++)
                        {
                            var row = new VersionRow
                            {
                                ModelId = model.Id,
                                Number = number,
                                Status = VersionStatus.Ready,
                                Stage = number % 2 == 0 ? "Staging" : "Production",
                                Source = $"models:/m-{i:00000000000000000000000000000000}",
                                RegisteredBy = "ds",
                                ManifestDigest = digest,
                                EvidenceSubject = digest,
                                ObjectId = LabelIds.Version(model.Id, number),
                            };
                            session.Db.Add(row);
                            session.Db.Add(
                                new AliasRow
                                {
                                    ModelId = model.Id,
                                    Alias = $"a{number}",
                                    Number = number,
                                }
                            );
                            await Labels.SetAsync(
                                session.Db,
                                LabelScope.VersionTag,
                                row.ObjectId,
                                [("risk", "high"), ("team", "a")],
                                token
                            );
                        }
                    }

                    return default(Unit);
                },
                TestContext.Current.CancellationToken
            );
        }
    }
}
