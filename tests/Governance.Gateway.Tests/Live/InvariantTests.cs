using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Governance.Gateway.Demo;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Gateway.Tests.Live;

/// <summary>The invariants of the design as an outsider sees them, over HTTPS.</summary>
[Collection(GatewayTests.Name)]
public sealed class InvariantTests(LiveGateway gateway)
{
    private const string Artifacts = "/api/2.0/mlflow-artifacts/artifacts/";
    private readonly Story _story = new(gateway);

    [Fact]
    public async Task Metadata_roles_see_no_bytes_of_artifacts_or_datasets()
    {
        await _story.ModelAsync("inv-bytes", 11);
        foreach (var name in new[] { "vera", "ada", "admin" })
        {
            var artifact = await gateway.As(name).ApiGetAsync($"{Artifacts}{_story.Storage}/MLmodel");
            var dataset = await gateway.As(name).ApiGetAsync($"/api/v1/datasets/{_story.Dataset.Hex}/content");

            Assert.True(
                artifact.Status is HttpStatusCode.Forbidden or HttpStatusCode.NotFound,
                $"{name}: {artifact.Status}"
            );
            Assert.True(
                dataset.Status is HttpStatusCode.Forbidden or HttpStatusCode.NotFound,
                $"{name}: {dataset.Status}"
            );
        }

        Assert.Equal(
            Story.Files()["MLmodel"],
            await gateway.As("rita").BytesAsync($"{Artifacts}{_story.Storage}/MLmodel")
        );
    }

    [Fact]
    public async Task A_viewer_changes_nothing()
    {
        await _story.ModelAsync("inv-viewer", 12);
        var vera = gateway.As("vera");
        Answer[] refused =
        [
            await vera.PostAsync("registered-models/create", new JsonObject { ["name"] = "inv-of-vera" }),
            await vera.PostAsync("experiments/create", new JsonObject { ["name"] = "inv-of-vera" }),
            await vera.PatchAsync(
                "registered-models/update",
                new JsonObject { ["name"] = "inv-viewer", ["description"] = "x" }
            ),
            await vera.PostAsync(
                "runs/log-parameter",
                new JsonObject
                {
                    ["run_id"] = _story.RunId,
                    ["key"] = "x",
                    ["value"] = "y",
                }
            ),
            await Story.ToStageAsync(vera, "inv-viewer", "Staging"),
            await Story.SetAliasAsync(vera, "inv-viewer", "dev-x"),
            await vera.UploadAsync(
                HttpMethod.Post,
                "/api/v1/datasets?name=x&format=csv",
                "a\n1\n"u8.ToArray(),
                "text/csv"
            ),
            await vera.PutArtifactAsync($"{_story.Storage}/new.txt", [1]),
        ];

        Assert.All(
            refused,
            answer =>
                Assert.True(
                    answer.Status is HttpStatusCode.Forbidden or HttpStatusCode.NotFound,
                    $"{answer.Status} {answer.Body}"
                )
        );
    }

    [Fact]
    public async Task A_model_that_one_may_not_see_looks_like_one_that_is_not_there()
    {
        await _story.ModelAsync("inv-hidden", 13);
        using var narrow = await gateway.ServiceAsync(
            "narrow-viewer",
            new RoleGrant("viewer", ObjectKind.Model, "open-*")
        );
        string[] paths =
        [
            "/api/2.0/mlflow/registered-models/get?name={0}",
            "/api/2.0/mlflow/registered-models/get-latest-versions?name={0}",
            "/api/2.0/mlflow/registered-models/alias?name={0}&alias=champion",
            "/api/2.0/mlflow/model-versions/get?name={0}&version=1",
            "/api/2.0/mlflow/model-versions/get-download-uri?name={0}&version=1",
            "/api/2.0/mlflow/model-versions/search?filter=name%3D'{0}'",
            "/api/v1/models/{0}/versions/1/bundle",
            "/api/v1/models/{0}/versions/1/sbom",
            "/api/v1/models/{0}/versions/1/lineage",
            "/api/v1/models/{0}/versions/1/receipts",
            "/graphql?query=%7Bmodel(name%3A%22{0}%22)%7Bname%7D%7D",
            "/graphql?query=%7Bversion(model%3A%22{0}%22%2Cversion%3A1)%7Bstatus%7D%7D",
            "/graphql?query=%7Bcontrols(model%3A%22{0}%22%2Cversion%3A1%2Cregulation%3A%22gdpr%22)%7Bid%7D%7D",
        ];

        foreach (var path in paths)
        {
            var hidden = await TextAsync(narrow, path.Replace("{0}", "inv-hidden", StringComparison.Ordinal));
            var absent = await TextAsync(narrow, path.Replace("{0}", "inv-absent", StringComparison.Ordinal));

            Assert.Equal(
                (path, absent.Status, Plain(absent.Body, "inv-absent")),
                (path, hidden.Status, Plain(hidden.Body, "inv-hidden"))
            );
        }
    }

    [Fact]
    public async Task A_data_scientist_cannot_use_what_belongs_to_another()
    {
        await _story.ModelAsync("inv-own", 14);
        var other = gateway.As("training-pipeline");
        var run = await TrackedRunAsync(other, "inv-foreign");
        await other.PostAsync("registered-models/create", new JsonObject { ["name"] = "inv-thief" });

        Answer[] refused =
        [
            await LogInputAsync(other, _story.RunId, _story.Dataset.Hex),
            await LogInputAsync(other, run, _story.Dataset.Hex),
            await other.PostAsync(
                "runs/log-parameter",
                new JsonObject
                {
                    ["run_id"] = _story.RunId,
                    ["key"] = "x",
                    ["value"] = "y",
                }
            ),
            await other.PostAsync("runs/update", new JsonObject { ["run_id"] = _story.RunId, ["status"] = "FAILED" }),
            await other.PostAsync(
                "model-versions/create",
                new JsonObject
                {
                    ["name"] = "inv-thief",
                    ["source"] = $"mlflow-artifacts:/{_story.Storage}",
                    ["run_id"] = _story.RunId,
                }
            ),
            await other.PostAsync(
                "model-versions/create",
                new JsonObject
                {
                    ["name"] = "inv-thief",
                    ["source"] = $"mlflow-artifacts:/{_story.Storage}",
                    ["run_id"] = run,
                }
            ),
            await other.PostAsync(
                "model-versions/create",
                new JsonObject { ["name"] = "inv-thief", ["source"] = "models:/inv-own/1" }
            ),
            await other.PostAsync(
                "model-versions/create",
                new JsonObject { ["name"] = "inv-own", ["source"] = "models:/inv-own/1" }
            ),
            await other.PutArtifactAsync($"{_story.Storage}/new.txt", [1]),
            await other.ApiGetAsync($"{Artifacts}{_story.Storage}/MLmodel"),
            await other.ApiGetAsync($"/api/v1/datasets/{_story.Dataset.Hex}"),
            await other.ApiGetAsync($"/api/v1/datasets/{_story.Dataset.Hex}/content"),
        ];

        Assert.All(
            refused,
            answer =>
                Assert.True(
                    answer.Status is HttpStatusCode.Forbidden or HttpStatusCode.NotFound or HttpStatusCode.BadRequest,
                    $"{answer.Status} {answer.Body.ToJsonString()}"
                )
        );
        var versions = await other.GetAsync("model-versions/search?filter=name%3D'inv-thief'");
        Assert.Null(versions.Body["model_versions"]);
    }

    [Fact]
    public async Task Changing_the_inputs_after_the_approval_voids_it()
    {
        await _story.ModelAsync("inv-inputs", 15);
        var sam = gateway.As("sam");
        var request = Story.RequestOf(await Story.ToStageAsync(sam, "inv-inputs", "Production"));
        await _story.ApproveAsync(request);
        var raw = await _story.UploadAsync("inv-inputs-other", 1015);

        var logged = await LogInputAsync(gateway.As("dana"), _story.RunId, raw.Hex);
        Assert.True(logged.Ok, logged.Body.ToJsonString());
        var moved = await Story.ToStageAsync(sam, "inv-inputs", "Production");

        Assert.True(moved.Status is HttpStatusCode.Forbidden or HttpStatusCode.Conflict, $"{moved.Status}");
        await _story.ReadyAsync("inv-inputs");
        moved = await Story.ToStageAsync(sam, "inv-inputs", "Production");
        Assert.Equal(HttpStatusCode.Forbidden, moved.Status);
        Assert.Equal("None", await _story.StageAsync("inv-inputs"));
        Assert.Equal("void", await _story.StateAsync(request));
    }

    [Fact]
    public async Task Declaring_on_the_dataset_after_the_approval_voids_it()
    {
        await _story.ModelAsync("inv-declared", 16);
        var sam = gateway.As("sam");
        var request = Story.RequestOf(await Story.ToStageAsync(sam, "inv-declared", "Production"));
        await _story.ApproveAsync(request);

        var declared = await gateway
            .As("paul")
            .GraphQlAsync(
                "mutation($s:String!){declareDataset(sha256:$s,declaration:{leastK:400}){sha256}}",
                new JsonObject { ["s"] = _story.Dataset.Hex }
            );
        Assert.True(declared["errors"] is null, declared.ToJsonString());
        var moved = await Story.ToStageAsync(sam, "inv-declared", "Production");

        Assert.True(moved.Status is HttpStatusCode.Forbidden or HttpStatusCode.Conflict, $"{moved.Status}");
        await _story.ReadyAsync("inv-declared");
        moved = await Story.ToStageAsync(sam, "inv-declared", "Production");
        Assert.Equal(HttpStatusCode.Forbidden, moved.Status);
        Assert.Equal("None", await _story.StageAsync("inv-declared"));
        Assert.Equal("void", await _story.StateAsync(request));
    }

    [Fact]
    public async Task A_used_approval_does_not_work_twice()
    {
        await _story.ModelAsync("inv-once", 17);
        var sam = gateway.As("sam");
        var request = Story.RequestOf(await Story.ToStageAsync(sam, "inv-once", "Production"));
        await _story.ApproveAsync(request);
        Assert.True((await Story.ToStageAsync(sam, "inv-once", "Production")).Ok);
        // A retry of what already holds changes nothing.
        Assert.True((await Story.ToStageAsync(sam, "inv-once", "Production")).Ok);
        Assert.True((await Story.ToStageAsync(gateway.As("remy"), "inv-once", "Archived")).Ok);

        var again = await Story.ToStageAsync(sam, "inv-once", "Production");

        Assert.NotEqual(request, Story.RequestOf(again));
        Assert.Equal("Archived", await _story.StageAsync("inv-once"));
        Assert.Equal("carried-out", await _story.StateAsync(request));
    }

    [Fact]
    public async Task What_serves_production_is_not_overwritten_deleted_or_taken_away_by_its_author()
    {
        await _story.ModelAsync("inv-serving", 18);
        await _story.PromoteAsync("inv-serving");
        var dana = gateway.As("dana");
        var file = $"{_story.Storage}/model.pkl";

        Assert.Equal(HttpStatusCode.Conflict, (await dana.PutArtifactAsync(file, [1, 2, 3])).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await gateway.DeleteAsync("dana", Artifacts + file)).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await gateway.DeleteAsync("dana", Artifacts + _story.Storage)).Status);
        var version = new JsonObject { ["name"] = "inv-serving", ["version"] = "1" };
        var model = new JsonObject { ["name"] = "inv-serving" };
        Assert.Equal(
            HttpStatusCode.Forbidden,
            (await gateway.DeleteAsync("dana", "/api/2.0/mlflow/model-versions/delete", version)).Status
        );
        Assert.Equal(
            HttpStatusCode.Forbidden,
            (await gateway.DeleteAsync("dana", "/api/2.0/mlflow/registered-models/delete", model)).Status
        );
        Assert.Equal(HttpStatusCode.Forbidden, (await Story.ToStageAsync(dana, "inv-serving", "Archived")).Status);
        Assert.Equal(
            HttpStatusCode.Forbidden,
            (
                await dana.PostAsync(
                    "registered-models/rename",
                    new JsonObject { ["name"] = "inv-serving", ["new_name"] = "inv-gone" }
                )
            ).Status
        );
        // Not even a release manager alone: the policy wants another person for it.
        Story.RequestOf(await gateway.DeleteAsync("remy", "/api/2.0/mlflow/model-versions/delete", version));

        Assert.Equal("Production", await _story.StageAsync("inv-serving"));
        Assert.Equal(Story.Files()["model.pkl"], await gateway.As("rita").BytesAsync(Artifacts + file));
    }

    [Fact]
    public async Task A_protected_alias_is_set_and_removed_through_the_gate_only()
    {
        await _story.ModelAsync("inv-alias", 19);
        var alias = new JsonObject { ["name"] = "inv-alias", ["alias"] = "champion" };
        const string route = "/api/2.0/mlflow/registered-models/alias";
        Assert.Equal(
            HttpStatusCode.Forbidden,
            (await Story.SetAliasAsync(gateway.As("dana"), "inv-alias", "champion")).Status
        );
        await _story.ApproveAsync(
            Story.RequestOf(await Story.SetAliasAsync(gateway.As("sam"), "inv-alias", "champion"))
        );
        Assert.True((await Story.SetAliasAsync(gateway.As("sam"), "inv-alias", "champion")).Ok);

        Assert.Equal(HttpStatusCode.Forbidden, (await gateway.DeleteAsync("dana", route, alias)).Status);
        Assert.True((await gateway.As("ada").GetAsync("registered-models/alias?name=inv-alias&alias=champion")).Ok);
        Assert.True((await gateway.DeleteAsync("remy", route, alias)).Ok);
        // A free alias is its owner's own affair.
        Assert.True((await Story.SetAliasAsync(gateway.As("dana"), "inv-alias", "dev-try")).Ok);
    }

    [Fact]
    public async Task A_receipt_verifies_offline_and_a_changed_one_does_not()
    {
        await _story.ModelAsync("inv-receipt", 20);
        await _story.PromoteAsync("inv-receipt");
        var ada = gateway.As("ada");
        var root = await ada.BytesAsync("/.well-known/governance/trusted_root.json");
        var list = await ada.ApiGetAsync("/api/v1/models/inv-receipt/versions/1/receipts");
        var address = $"/api/v1/models/inv-receipt/versions/1/receipts/{list.Body["receipts"]![0]}";
        // Complete within a second or two of the promotion, once a checkpoint covers it.
        var answer = await ada.ApiGetAsync(address);
        for (var i = 0; i < 40 && !answer.Ok; i++)
        {
            Assert.Equal(HttpStatusCode.Conflict, answer.Status);
            await Task.Delay(250, TestContext.Current.CancellationToken);
            answer = await ada.ApiGetAsync(address);
        }

        var receipt = await ada.BytesAsync(address);

        Assert.True(ReceiptVerifier.Verify(receipt, root).Ok);
        for (var i = 0; i < receipt.Length; i += 97)
        {
            var changed = (byte[])receipt.Clone();
            changed[i] ^= 1;
            Assert.False(ReceiptVerifier.Verify(changed, root).Ok, $"byte {i}");
        }
    }

    [Fact]
    public async Task Metrics_need_their_permission_and_health_needs_none()
    {
        Assert.Equal(HttpStatusCode.Unauthorized, (await TextAsync(gateway.Anonymous(), "/metrics")).Status);
        foreach (var name in new[] { "dana", "remy", "rita", "paul", "ada", "vera" })
        {
            Assert.Equal(HttpStatusCode.Forbidden, (await TextAsync(gateway.Http(name), "/metrics")).Status);
        }

        var metrics = await TextAsync(gateway.Http("admin"), "/metrics");
        Assert.Equal(HttpStatusCode.OK, metrics.Status);
        Assert.Contains("# TYPE", metrics.Body, StringComparison.Ordinal);
        foreach (var path in new[] { "/health", "/health/live", "/health/ready", "/version" })
        {
            Assert.Equal(HttpStatusCode.OK, (await TextAsync(gateway.Anonymous(), path)).Status);
        }
    }

    private static async Task<string> TrackedRunAsync(DemoClient client, string name)
    {
        var experiment = await client.PostAsync("experiments/create", new JsonObject { ["name"] = name });
        var run = await client.PostAsync(
            "runs/create",
            new JsonObject { ["experiment_id"] = experiment.Text("experiment_id") }
        );
        return run.Text("run", "info", "run_id");
    }

    private static Task<Answer> LogInputAsync(DemoClient client, string run, string sha256) =>
        client.PostAsync(
            "runs/log-inputs",
            new JsonObject
            {
                ["run_id"] = run,
                ["datasets"] = new JsonArray(
                    new JsonObject
                    {
                        ["dataset"] = new JsonObject
                        {
                            ["name"] = "other",
                            ["digest"] = sha256[..8],
                            ["source_type"] = "governance",
                            ["source"] = $"governance:/datasets/sha256:{sha256}",
                        },
                    }
                ),
            }
        );

    // The name asked for and the number of the request differ in any two answers.
    private static string Plain(string body, string name) =>
        Regex.Replace(
            body.Replace(name, "NAME", StringComparison.Ordinal),
            "\"traceId\":\"[^\"]*\"",
            "",
            RegexOptions.None,
            TimeSpan.FromSeconds(1)
        );

    private static async Task<(HttpStatusCode Status, string Body)> TextAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(
            new Uri(path, UriKind.Relative),
            TestContext.Current.CancellationToken
        );
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }
}
