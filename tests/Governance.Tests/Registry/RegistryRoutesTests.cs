using Governance.Kernel;
using Governance.Platform.Logging;
using Governance.Registry.Contracts;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Governance.Tests.Registry;

public sealed class RegistryRoutesTests
{
    [Fact]
    public async Task Version_numbers_are_never_used_again_not_even_after_the_model_was_deleted()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        await host.RegisterAsync("m", $"mlflow-artifacts:/{path}", null);
        await host.OkAsync("DELETE", "model-versions/delete", new { name = "m", version = "2" });

        var third = await host.RegisterAsync("m", $"mlflow-artifacts:/{path}", null);
        await host.OkAsync("DELETE", "registered-models/delete", new { name = "m" });
        await host.OkAsync("POST", "registered-models/create", new { name = "m" });
        var fourth = await host.RegisterAsync("m", $"mlflow-artifacts:/{path}", null);

        Assert.Equal("3", (string?)third["version"]);
        Assert.Equal("4", (string?)fourth["version"]);
    }

    [Fact]
    public async Task A_name_that_other_versions_bore_is_not_given_to_a_renamed_model()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.VersionAsync("a");
        await host.VersionAsync("b");
        await host.OkAsync("DELETE", "registered-models/delete", new { name = "b" });

        var (taken, _) = await host.SendAsync("POST", "registered-models/rename", new { name = "a", new_name = "b" });
        var free = await host.OkAsync("POST", "registered-models/rename", new { name = "a", new_name = "c" });

        Assert.Equal(400, taken);
        Assert.Equal("c", (string?)free["registered_model"]!["name"]);
        await host.OkAsync("GET", "model-versions/get?name=c&version=1");
    }

    [Theory]
    [InlineData("POST", "registered-models/create", "{\"name\":\"a\",\"name\":\"b\"}")]
    [InlineData("POST", "registered-models/create", "{\"name\":\"a\",\"tags\":[{\"key\":\"k\",\"key\":\"l\"}]}")]
    [InlineData("POST", "registered-models/create", "{\"name\":")]
    [InlineData("POST", "registered-models/create", "[]")]
    [InlineData("POST", "registered-models/create", "{\"name\":7}")]
    [InlineData("POST", "registered-models/create", "{\"name\":\"a\",\"tags\":\"x\"}")]
    [InlineData("POST", "registered-models/create", "{\"name\":\"a\\u0000b\"}")]
    [InlineData("POST", "registered-models/create", "{\"name\":\"\\ud800\"}")]
    [InlineData("POST", "registered-models/create", "{}")]
    [InlineData("POST", "model-versions/transition-stage", "{\"name\":\"m\",\"version\":1,\"stage\":\"Staging\"}")]
    [InlineData("POST", "model-versions/transition-stage", "{\"name\":\"m\",\"version\":\"01\",\"stage\":\"Staging\"}")]
    [InlineData("POST", "model-versions/transition-stage", "{\"name\":\"m\",\"version\":\"1\",\"stage\":\"Prod\"}")]
    [InlineData("POST", "experiments/search", "{}")]
    [InlineData("POST", "experiments/search", "{\"max_results\":0}")]
    [InlineData("POST", "runs/search", "{\"experiment_ids\":7}")]
    [InlineData("GET", "registered-models/search?max_results=1001", null)]
    [InlineData("GET", "registered-models/search?max_results=abc", null)]
    [InlineData("GET", "registered-models/search?page_token=zz", null)]
    [InlineData("GET", "model-versions/search?filter=bogus%20%3D%20%27a%27", null)]
    public async Task Bad_input_is_a_400_with_a_code(string method, string path, string? body)
    {
        await using var host = await RegistryHost.StartAsync();

        var (status, answer) = await host.SendAsync(method, path, body);

        Assert.Equal(400, status);
        Assert.Equal("INVALID_PARAMETER_VALUE", (string?)answer["error_code"]);
        Assert.False(string.IsNullOrEmpty((string?)answer["message"]));
    }

    [Fact]
    public async Task Oversize_names_and_deep_or_huge_bodies_are_refused()
    {
        await using var host = await RegistryHost.StartAsync();
        var deep = string.Concat(Enumerable.Repeat("{\"a\":", 200)) + "1" + new string('}', 200);

        var (name, _) = await host.SendAsync("POST", "registered-models/create", new { name = new string('n', 251) });
        var (depth, _) = await host.SendAsync("POST", "registered-models/create", deep);
        var (size, _) = await host.SendAsync("POST", "runs/log-batch", new { run_id = new string('x', 5 << 20) });
        var (key, _) = await host.SendAsync(
            "POST",
            "registered-models/create",
            new { name = "m", tags = new[] { new { key = new string('k', 251), value = "" } } }
        );

        Assert.Equal([400, 400, 413, 400], [name, depth, size, key]);
    }

    [Fact]
    public async Task Unknown_members_are_ignored_and_unknown_routes_are_404_json()
    {
        await using var host = await RegistryHost.StartAsync();

        await host.OkAsync("POST", "registered-models/create", new { name = "m", stage = "Production" });
        var (status, answer) = await host.SendAsync("POST", "registered-models/promote", new { name = "m" });

        Assert.Equal(404, status);
        Assert.Equal("ENDPOINT_NOT_FOUND", (string?)answer["error_code"]);
    }

    [Fact]
    public async Task An_existing_model_is_told_to_readers_and_hidden_from_others()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.OkAsync("POST", "registered-models/create", new { name = "m" }, "private-a");

        var (reader, told) = await host.SendAsync("POST", "registered-models/create", new { name = "m" }, "viewer-x");
        var (absent, denied) = await host.SendAsync("POST", "registered-models/create", new { name = "n" }, "viewer-x");
        var (hidden, hiding) = await host.SendAsync(
            "POST",
            "registered-models/create",
            new { name = "m" },
            "private-b"
        );
        var (get, _) = await host.SendAsync("GET", "registered-models/get?name=m", actor: "private-b");

        Assert.Equal((400, "RESOURCE_ALREADY_EXISTS"), (reader, (string?)told["error_code"]));
        Assert.Equal((403, "PERMISSION_DENIED"), (absent, (string?)denied["error_code"]));
        Assert.Equal((403, "PERMISSION_DENIED"), (hidden, (string?)hiding["error_code"]));
        Assert.Equal(404, get);
    }

    [Fact]
    public async Task A_refusal_of_the_gate_is_403_with_every_reason_in_the_message()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.VersionAsync("m");
        host.Gate.Refusal = Failure.Denied("promotion.denied", "Refused.") with
        {
            Reasons = ["No SBOM.", "No approval."],
        };

        foreach (
            var (method, route, body) in new (string, string, object)[]
            {
                (
                    "POST",
                    "model-versions/transition-stage",
                    new
                    {
                        name = "m",
                        version = "1",
                        stage = "production",
                    }
                ),
                (
                    "POST",
                    "registered-models/alias",
                    new
                    {
                        name = "m",
                        alias = "champion",
                        version = "1",
                    }
                ),
                ("DELETE", "model-versions/delete", new { name = "m", version = "1" }),
                ("DELETE", "registered-models/delete", new { name = "m" }),
                ("POST", "registered-models/rename", new { name = "m", new_name = "n" }),
            }
        )
        {
            var (status, answer) = await host.SendAsync(method, route, body);

            Assert.Equal((403, "PERMISSION_DENIED"), (status, (string?)answer["error_code"]));
            Assert.Contains("No SBOM. No approval.", (string?)answer["message"], StringComparison.Ordinal);
        }

        Assert.Equal("Production", host.Gate.Asked.First().Target);
        var version = await host.OkAsync("GET", "model-versions/get?name=m&version=1");
        Assert.Equal("None", (string?)version["model_version"]!["current_stage"]);
    }

    [Fact]
    public async Task A_version_that_is_not_ready_takes_no_stage_and_no_alias()
    {
        await using var host = await RegistryHost.StartAsync();
        host.Intake.Holds = true;
        await host.VersionAsync("m");

        var stage = new
        {
            name = "m",
            version = "1",
            stage = "Staging",
        };
        var (staged, answer) = await host.SendAsync("POST", "model-versions/transition-stage", stage);
        var alias = new
        {
            name = "m",
            alias = "champion",
            version = "1",
        };
        var (aliased, _) = await host.SendAsync("POST", "registered-models/alias", alias);

        Assert.Equal((409, "registry.version_not_ready"), (staged, (string?)answer["code"]));
        Assert.Equal(409, aliased);
    }

    [Fact]
    public async Task Archiving_existing_holders_happens_with_the_move_and_only_for_serving_stages()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        await host.RegisterAsync("m", $"mlflow-artifacts:/{path}", null);
        await host.OkAsync(
            "POST",
            "model-versions/transition-stage",
            new
            {
                name = "m",
                version = "1",
                stage = "Production",
            }
        );

        var move = new
        {
            name = "m",
            version = "2",
            stage = "PRODUCTION",
            archive_existing_versions = true,
        };
        var moved = await host.OkAsync("POST", "model-versions/transition-stage", move);
        var none = new
        {
            name = "m",
            version = "2",
            stage = "None",
            archive_existing_versions = true,
        };
        var (refused, _) = await host.SendAsync("POST", "model-versions/transition-stage", none);

        var first = await host.OkAsync("GET", "model-versions/get?name=m&version=1");
        Assert.Equal("Production", (string?)moved["model_version"]!["current_stage"]);
        Assert.Equal("Archived", (string?)first["model_version"]!["current_stage"]);
        Assert.Equal(400, refused);
        Assert.Equal(2, host.Database.Log.Entries.Count(e => e.Kind == "registry.moved"));
    }

    [Fact]
    public async Task The_mover_refuses_a_changed_state_and_an_unknown_decision()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.VersionAsync("m");
        var reader = host.Database.Get<IRegistryReader>();
        var version = (await reader.FindVersionAsync(new("m", 1), TestContext.Current.CancellationToken))!;
        var move = new Move(version.Ref, MoveKind.SetStage, "Production", false);
        var right = new MoveExpectation(version.ModelId, version.EvidenceSubject, version.Revision, []);

        var otherRevision = await MoveAsync(FakeLedger.Allowed, right with { Revision = right.Revision - 1 });
        var otherModel = await MoveAsync(FakeLedger.Allowed, right with { ModelId = Guid.NewGuid() });
        var otherSubject = await MoveAsync(FakeLedger.Allowed, right with { EvidenceSubject = Digest.Of("x") });
        var otherHolders = await MoveAsync(FakeLedger.Allowed, right with { Holders = [7] });
        var noDecision = await MoveAsync(Guid.Empty, right);
        var moved = await MoveAsync(FakeLedger.Allowed, right);

        Assert.Equal("registry.changed", otherRevision.Failure?.Code);
        Assert.Equal("registry.changed", otherModel.Failure?.Code);
        Assert.Equal("registry.changed", otherSubject.Failure?.Code);
        Assert.Equal("registry.changed", otherHolders.Failure?.Code);
        Assert.Equal("promotion.decision_invalid", noDecision.Failure?.Code);
        Assert.Equal("Production", moved.Value?.Stage);

        Task<Result<VersionView?>> MoveAsync(Guid decision, MoveExpectation expected) =>
            host.Database.Writer.WriteAsync(
                (session, token) =>
                    host.Database.Get<IMover>().MoveAsync(session, Actor.System, move, decision, expected, token),
                TestContext.Current.CancellationToken
            );
    }

    [Fact]
    public async Task New_inputs_of_a_run_change_the_subject_of_its_versions_and_call_the_intake_again()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        var run = path.Split('/')[1];
        var sha256 = Digest.Of("table");
        host.Datasets.Known.Add(sha256);
        host.Intake.Holds = true;

        await host.OkAsync("POST", "runs/log-inputs", Inputs(run, sha256));
        await host.OkAsync("POST", "runs/log-inputs", Inputs(run, sha256));

        var seen = host.Intake.Seen.ToList();
        Assert.Equal(2, seen.Count);
        Assert.NotEqual(seen[0].EvidenceSubject, seen[1].EvidenceSubject);
        Assert.Equal(VersionStatus.PendingRegistration, seen[1].Status);
        Assert.Contains(
            host.Database.Graph.Edges,
            e => e.From.Urn == $"dataset:sha256:{sha256}" && e.To.Urn == $"run:{run}"
        );
        var reader = host.Database.Get<IRegistryReader>();
        Assert.Equal(
            [new ModelVersionRef("m", 1)],
            await reader.VersionsTrainedOnAsync(sha256, TestContext.Current.CancellationToken)
        );
    }

    [Fact]
    public async Task An_input_dataset_that_is_unknown_or_forbidden_is_404_and_logged()
    {
        await using var host = await RegistryHost.StartAsync();
        var (_, run) = await host.RunAsync("e");

        var (status, _) = await host.SendAsync("POST", "runs/log-inputs", Inputs(run, Digest.Of("unknown")));

        Assert.Equal(404, status);
        Assert.Contains(host.Database.Log.Entries, e => e is { Kind: "registry.refused", Outcome: LogOutcome.Refused });
    }

    [Fact]
    public async Task A_version_cannot_borrow_the_inputs_of_another_run()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        var (_, other) = await host.RunAsync("other");

        var claim = new
        {
            name = "m",
            source = $"mlflow-artifacts:/{path}",
            run_id = other,
        };
        var (status, answer) = await host.SendAsync("POST", "model-versions/create", claim);

        Assert.Equal((400, "registry.run_mismatch"), (status, (string?)answer["code"]));
    }

    [Fact]
    public async Task The_prompt_tag_switches_no_check_off_and_the_text_is_frozen()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.OkAsync("POST", "registered-models/create", new { name = "p" });
        object[] tags =
        [
            new { key = "mlflow.prompt.is_prompt", value = "true" },
            new { key = "mlflow.prompt.text", value = "Hi" },
        ];

        var (evil, _) = await host.SendAsync(
            "POST",
            "model-versions/create",
            new
            {
                name = "p",
                source = "file:///etc",
                tags,
            }
        );
        var (bare, _) = await host.SendAsync(
            "POST",
            "model-versions/create",
            new { name = "p", source = "dummy-source" }
        );
        await host.OkAsync(
            "POST",
            "model-versions/create",
            new
            {
                name = "p",
                source = "dummy-source",
                tags,
            }
        );
        var text = new
        {
            name = "p",
            version = "1",
            key = "mlflow.prompt.text",
            value = "Ha",
        };
        var (changed, _) = await host.SendAsync("POST", "model-versions/set-tag", text);

        Assert.Equal([400, 400, 409], [evil, bare, changed]);
        var manifest = await host
            .Database.Get<IRegistryReader>()
            .ManifestOfAsync(new("p", 1), TestContext.Current.CancellationToken);
        Assert.Equal(Digest.Of("Hi"), Assert.Single(manifest!.Files).Digest);
    }

    [Fact]
    public async Task An_empty_source_is_refused()
    {
        await using var host = await RegistryHost.StartAsync();
        var (_, run) = await host.RunAsync("e");
        await host.OkAsync("POST", "registered-models/create", new { name = "m" });

        var (status, answer) = await host.SendAsync(
            "POST",
            "model-versions/create",
            new { name = "m", source = $"runs:/{run}/model" }
        );

        Assert.Equal((400, "registry.empty_source"), (status, (string?)answer["code"]));
    }

    [Fact]
    public async Task Runs_in_the_default_experiment_belong_to_their_makers()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.OkAsync("GET", "experiments/get?experiment_id=0");
        var made = await host.OkAsync("POST", "runs/create", new { experiment_id = "0" });
        var run_id = (string)made["run"]!["info"]!["run_id"]!;

        await host.OkAsync(
            "POST",
            "runs/set-tag",
            new
            {
                run_id,
                key = "k",
                value = "v",
            }
        );
        var (other, _) = await host.SendAsync(
            "POST",
            "runs/set-tag",
            new
            {
                run_id,
                key = "k",
                value = "x",
            },
            "ds2"
        );
        var (viewer, _) = await host.SendAsync("POST", "runs/create", new { experiment_id = "0" }, "viewer-x");
        var (experiment, _) = await host.SendAsync(
            "POST",
            "experiments/update",
            new { experiment_id = "0", new_name = "Mine" }
        );

        Assert.Equal([403, 403, 403], [other, viewer, experiment]);
        Assert.Equal("ds", (string?)made["run"]!["info"]!["user_id"]);
    }

    [Fact]
    public async Task Retried_metrics_are_kept_once()
    {
        await using var host = await RegistryHost.StartAsync();
        var (_, run_id) = await host.RunAsync("e");
        var metric = new
        {
            run_id,
            key = "m",
            value = "NaN",
            timestamp = "1700000000000",
            step = 1,
        };

        await host.OkAsync("POST", "runs/log-metric", metric);
        await host.OkAsync("POST", "runs/log-metric", metric);

        var history = await host.OkAsync("GET", $"metrics/get-history?run_id={run_id}&metric_key=m");
        Assert.Equal("NaN", (string?)Assert.Single(history["metrics"]!.AsArray())!["value"]);
    }

    [Fact]
    public async Task A_model_name_that_differs_in_case_alone_from_a_live_or_former_one_is_refused()
    {
        await using var host = await RegistryHost.StartAsync();
        foreach (var name in (string[])["Modèle", "old", "free"])
        {
            await host.OkAsync("POST", "registered-models/create", new { name });
        }

        await host.OkAsync("DELETE", "registered-models/delete", new { name = "old" });
        var live = await host.SendAsync("POST", "registered-models/create", new { name = "MODÈLE" });
        var former = await host.SendAsync("POST", "registered-models/create", new { name = "Old" });
        var renamed = await host.SendAsync(
            "POST",
            "registered-models/rename",
            new { name = "free", new_name = "modèle" }
        );

        Assert.Equal([400, 400, 400], [live.Status, former.Status, renamed.Status]);
        Assert.Contains("letter case", (string?)live.Body["message"], StringComparison.Ordinal);
        await host.OkAsync("POST", "registered-models/rename", new { name = "free", new_name = "FREE" });
    }

    [Fact]
    public async Task Names_that_a_migration_could_not_fold_are_folded_at_a_start()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.OkAsync("POST", "registered-models/create", new { name = "Modèle" });
        await host.Database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                session.Db.AddRange(Enumerable.Range(0, 501).Select(i => new ModelNameRow { Name = $"é{i}" }));
                await session.Db.SaveChangesAsync(token);
                await session
                    .Db.Set<ModelNameRow>()
                    .ExecuteUpdateAsync(names => names.SetProperty(row => row.FoldedName, ""), token);
                return default(Unit);
            },
            TestContext.Current.CancellationToken
        );

        await host
            .Database.Services.GetServices<IHostedService>()
            .OfType<FoldNames>()
            .Single()
            .StartAsync(TestContext.Current.CancellationToken);

        Assert.Equal(400, (await host.SendAsync("POST", "registered-models/create", new { name = "MODÈLE" })).Status);
        await using var db = host.Database.Read();
        Assert.Equal(
            502,
            db.Set<ModelNameRow>().AsEnumerable().Count(row => row.FoldedName == RegistryNames.Key(row.Name))
        );
    }

    [Theory]
    [InlineData("ds", 1)]
    [InlineData("curator-x", 0)]
    public async Task Registering_a_logged_model_tags_it_only_for_who_may_write_it(string actor, int tags)
    {
        await using var host = await RegistryHost.StartAsync();
        var (experiment, _) = await host.RunAsync("e");
        var made = await host.OkAsync("POST", "logged-models", new { experiment_id = experiment, name = "l" });
        var id = (string)made["model"]!["info"]!["model_id"]!;
        Assert.Equal(200, await host.PutAsync($"{experiment}/models/{id}/artifacts/MLmodel", "flavors: {}"));
        await host.OkAsync("POST", "registered-models/create", new { name = "m" }, actor);

        await host.RegisterAsync("m", $"models:/{id}", null, actor);

        await using var db = host.Database.Read();
        Assert.Equal(tags, db.Set<LabelRow>().Count(row => row.ObjectId == id && row.Key == "mlflow.modelVersions"));
    }

    [Fact]
    public async Task A_run_has_a_limited_number_of_versions_and_they_are_told_in_one_call()
    {
        await using var host = await RegistryHost.StartAsync();
        var path = await host.VersionAsync("m");
        var run = path.Split('/')[1];
        await using (var db = host.Database.Read())
        {
            var first = db.Set<VersionRow>().Single();
            await host.Database.Writer.WriteAsync<Unit>(
                (session, _) =>
                {
                    session.Db.AddRange(
                        Enumerable
                            .Range(2, 99)
                            .Select(number => new VersionRow
                            {
                                ModelId = first.ModelId,
                                Number = number,
                                RunId = run,
                                ManifestDigest = first.ManifestDigest,
                                EvidenceSubject = first.EvidenceSubject,
                                ObjectId = LabelIds.Version(first.ModelId, number),
                            })
                    );
                    return Task.FromResult<Result<Unit>>(default(Unit));
                },
                TestContext.Current.CancellationToken
            );
        }

        var source = new { name = "m", source = $"mlflow-artifacts:/{path}" };
        var (status, answer) = await host.SendAsync("POST", "model-versions/create", source);
        var sha256 = Digest.Of("table");
        host.Datasets.Known.Add(sha256);
        var calls = host.Intake.Calls;
        await host.OkAsync("POST", "runs/log-inputs", Inputs(run, sha256));

        Assert.Equal((400, "registry.too_many"), (status, (string?)answer["code"]));
        Assert.Equal(1, host.Intake.Calls - calls);
        Assert.Equal(101, host.Intake.Seen.Count);
        Assert.Equal(101, host.Intake.Seen.Select(version => version.EvidenceSubject).Distinct().Count());
    }

    [Fact]
    public async Task Readers_batch_and_filter()
    {
        await using var host = await RegistryHost.StartAsync();
        await host.VersionAsync("a");
        var path = await host.VersionAsync("b");
        await host.RegisterAsync("b", $"mlflow-artifacts:/{path}", null);
        var reader = host.Database.Get<IRegistryReader>();
        var token = TestContext.Current.CancellationToken;

        var lists = await reader.VersionsOfAsync(["a", "b"], 1, token);
        var many = await reader.FindVersionsAsync([new("a", 1), new("b", 2), new("b", 9)], token);
        var page = await reader.ListModelsAsync(target => target.Name != "a", null, 1, null, token);
        var runs = await reader.FindRunsAsync([path.Split('/')[1]], token);

        Assert.Equal(2, lists["b"].Single().Ref.Version);
        Assert.Equal(2, many.Count);
        Assert.Equal("b", Assert.Single(page.Items).Name);
        Assert.Null(page.NextToken);
        Assert.Equal("e-b", Assert.Single(runs).Value.ExperimentName);
    }

    private static object Inputs(string run, Digest sha256) =>
        new
        {
            run_id = run,
            datasets = new[]
            {
                new
                {
                    tags = new[] { new { key = "mlflow.data.context", value = "training" } },
                    dataset = new
                    {
                        name = "persons",
                        digest = "abcd1234",
                        source_type = "external",
                        source = $"governance:/datasets/sha256:{sha256}",
                    },
                },
            },
        };
}
