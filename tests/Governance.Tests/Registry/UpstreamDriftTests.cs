using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Tests.Registry;

public sealed class UpstreamDriftTests
{
    /// <summary>What somebody does behind the gateway, and the finding that has to follow. Version 1 is in Production and has the alias champion.</summary>
    private static readonly Dictionary<string, (Func<RegistryHost, Task> Do, string Finding, bool Quarantines)> Kinds =
        new()
        {
            ["demoted"] = (u => Stage(u, "1", "None"), "m/1 stage", true),
            ["archived"] = (u => Stage(u, "1", "Archived"), "m/1 stage", true),
            ["moved to staging"] = (u => Stage(u, "1", "Staging"), "m/1 stage", true),
            ["another promoted"] = (u => Stage(u, "2", "Production"), "m/2 stage", true),
            ["another in staging"] = (u => Stage(u, "2", "Staging"), "m/2 stage", true),
            ["alias moved"] = (u => Alias(u, "champion", "2"), "m/0 alias champion", true),
            ["alias added"] = (u => Alias(u, "challenger", "1"), "m/0 alias challenger", true),
            ["alias removed"] = (
                u => u.OkAsync("DELETE", "registered-models/alias", new { name = "m", alias = "champion" }),
                "m/0 alias champion",
                true
            ),
            ["version tag added"] = (u => Tag(u, "new", "x"), "m/1 version_tag new", true),
            ["version tag changed"] = (u => Tag(u, "risk", "none"), "m/1 version_tag risk", true),
            ["version tag removed"] = (
                u =>
                    u.OkAsync(
                        "DELETE",
                        "model-versions/delete-tag",
                        new
                        {
                            name = "m",
                            version = "1",
                            key = "risk",
                        }
                    ),
                "m/1 version_tag risk",
                true
            ),
            ["version described"] = (
                u =>
                    u.OkAsync(
                        "PATCH",
                        "model-versions/update",
                        new
                        {
                            name = "m",
                            version = "1",
                            description = "x",
                        }
                    ),
                "m/1 version_description",
                false
            ),
            ["version deleted"] = (
                u => u.OkAsync("DELETE", "model-versions/delete", new { name = "m", version = "2" }),
                "m/2 version_missing",
                true
            ),
            ["version made"] = (async u => await RegisterAsync(u), "m/3 version_made", true),
            ["version made with our tag"] = (
                async u => await RegisterAsync(u, "governance.intent", Guid.NewGuid().ToString("N")),
                "m/3 version_made",
                true
            ),
            ["source changed"] = (u => EditAsync(u, v => v.Source = "mlflow-artifacts:/0/x"), "m/1 source", true),
            ["run changed"] = (u => EditAsync(u, v => v.RunId = new string('0', 32)), "m/1 run", true),
            ["model described"] = (
                u => u.OkAsync("PATCH", "registered-models/update", new { name = "m", description = "x" }),
                "m/0 model_description",
                false
            ),
            ["model tag added"] = (
                u =>
                    u.OkAsync(
                        "POST",
                        "registered-models/set-tag",
                        new
                        {
                            name = "m",
                            key = "new",
                            value = "x",
                        }
                    ),
                "m/0 model_tag new",
                false
            ),
            ["model tag changed"] = (
                u =>
                    u.OkAsync(
                        "POST",
                        "registered-models/set-tag",
                        new
                        {
                            name = "m",
                            key = "team",
                            value = "x",
                        }
                    ),
                "m/0 model_tag team",
                false
            ),
            ["model tag removed"] = (
                u => u.OkAsync("DELETE", "registered-models/delete-tag", new { name = "m", key = "team" }),
                "m/0 model_tag team",
                false
            ),
            ["model deleted"] = (
                u => u.OkAsync("DELETE", "registered-models/delete", new { name = "m" }),
                "m/0 model_missing",
                true
            ),
            ["model renamed"] = (
                u => u.OkAsync("POST", "registered-models/rename", new { name = "m", new_name = "other" }),
                "m/0 model_missing",
                true
            ),
            ["model made"] = (u => u.VersionAsync("other"), "other/1 version_made", true),
            ["file added"] = (u => FileAsync(u, "model/extra.pkl", "x"), "m/1 file_made extra.pkl", true),
            ["file removed"] = (u => FileAsync(u, "model/model.pkl", null), "m/1 file_missing model.pkl", true),
            ["file resized"] = (u => FileAsync(u, "model/model.pkl", "x"), "m/1 file_size model.pkl", true),
            ["file changed"] = (u => FileAsync(u, "model/model.pkl", "BYTES OF m"), "m/1 file_bytes model.pkl", true),
        };

    public static TheoryData<string> Names => [.. Kinds.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task What_is_done_behind_the_gateway_is_found_once_logged_and_quarantined(string name)
    {
        await using var pair = await StartAsync();
        Assert.Empty(await pair.SweepAsync(files: true, bytes: true));
        var (change, finding, quarantines) = Kinds[name];
        await change(pair.Upstream);

        var open = await pair.SweepAsync(files: true, bytes: true);
        var entries = Findings(pair);
        await pair.SweepAsync(files: true, bytes: true);

        Assert.Contains(finding, open);
        Assert.Equal(open.Count, entries);
        Assert.Equal(entries, Findings(pair));
        await using var db = pair.Gateway.Database.Read();
        // A finding about the model concerns the version that is protected.
        var (model, number) = (
            finding.Split('/', ' ')[0],
            int.Parse(finding.Split('/', ' ')[1], CultureInfo.InvariantCulture)
        );
        var concerned = Math.Max(number, 1);
        var row = await (
            from m in db.Set<ModelRow>()
            join v in db.Set<VersionRow>() on m.Id equals v.ModelId
            where m.Name == model && v.Number == concerned
            select v
        ).SingleAsync(TestContext.Current.CancellationToken);
        Assert.Equal(quarantines, row.Quarantined);
    }

    [Fact]
    public void There_are_at_least_twenty_kinds() => Assert.True(Kinds.Count >= 20);

    [Fact]
    public async Task A_change_behind_the_gateway_is_found_within_five_seconds()
    {
        await using var pair = await StartAsync(startSweeps: true);
        await Stage(pair.Upstream, "1", "None");
        var clock = Stopwatch.StartNew();

        while (clock.Elapsed < TimeSpan.FromSeconds(5) && (await pair.OpenAsync()).Count == 0)
        {
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        Assert.Contains("m/1 stage", await pair.OpenAsync());
    }

    [Fact]
    public async Task A_quarantined_version_is_neither_served_nor_promoted_until_upstream_says_again_what_is_here()
    {
        await using var pair = await StartAsync();
        await Stage(pair.Upstream, "1", "None");
        await pair.SweepAsync();
        var (status, _) = await pair.Gateway.SendAsync("GET", "model-versions/get-download-uri?name=m&version=1");
        Assert.Equal(409, status);
        var drift = await DriftAsync(pair);
        var (id, expected, found) = (
            (string)drift[0]!["id"]!,
            (string)drift[0]!["expected"]!,
            (string)drift[0]!["found"]!
        );
        Assert.Equal(("Production", "None"), (expected, found));

        Assert.Equal(200, await PostAsync(pair, $"drift/{id}/repair", "admin"));

        Assert.Empty(await pair.OpenAsync());
        Assert.Empty(await pair.SweepAsync());
        Assert.Equal("Production", await UpstreamStageAsync(pair, "1"));
        await pair.Gateway.OkAsync("GET", "model-versions/get-download-uri?name=m&version=1");
        Assert.Contains(pair.Gateway.Database.Log.Entries, entry => entry.Kind == "registry.version_released");
        Assert.Equal(404, await PostAsync(pair, $"drift/{id}/repair", "admin"));
    }

    [Fact]
    public async Task A_text_that_differs_holds_no_version_back_when_its_stage_is_repaired()
    {
        await using var pair = await StartAsync();
        await Stage(pair.Upstream, "1", "None");
        await pair.Upstream.OkAsync(
            "POST",
            "registered-models/set-tag",
            new
            {
                name = "m",
                key = "note",
                value = "behind",
            }
        );
        await pair.SweepAsync();
        var stage = (await DriftAsync(pair)).Single(line => (string)line!["kind"]! == "stage")!;

        Assert.Equal(200, await PostAsync(pair, $"drift/{(string)stage["id"]!}/repair", "admin"));

        Assert.Equal(["m/0 model_tag note"], await pair.OpenAsync());
        await pair.Gateway.OkAsync("GET", "model-versions/get-download-uri?name=m&version=1");
    }

    [Fact]
    public async Task A_stage_that_flips_back_by_itself_stays_a_finding()
    {
        await using var pair = await StartAsync();
        await Stage(pair.Upstream, "1", "None");
        await pair.SweepAsync();
        await Stage(pair.Upstream, "1", "Production");

        Assert.Equal(["m/1 stage"], await pair.SweepAsync());
        var id = (string)(await DriftAsync(pair))[0]!["id"]!;
        Assert.Equal(200, await PostAsync(pair, $"drift/{id}/repair", "admin"));
        Assert.Empty(await pair.SweepAsync());
    }

    [Fact]
    public async Task Lifting_drift_does_not_lift_what_was_quarantined_for_its_bytes()
    {
        await using var pair = await StartAsync();
        await Stage(pair.Upstream, "1", "None");
        await pair.SweepAsync();
        await File.WriteAllTextAsync(
            pair.Gateway.BlobFile(Encoding.UTF8.GetBytes("bytes of m")),
            "BYTES OF m",
            TestContext.Current.CancellationToken
        );
        await Governance.Registry.Artifacts.Corruption.ReportAsync(
            pair.Gateway.Database.Get<Governance.Registry.Wire.RegistryPorts>(),
            Actor.System,
            Digest.Of(Encoding.UTF8.GetBytes("bytes of m"))
        );

        var id = (string)(await DriftAsync(pair))[0]!["id"]!;
        Assert.Equal(200, await PostAsync(pair, $"drift/{id}/repair", "admin"));

        Assert.Equal(
            409,
            (await pair.Gateway.SendAsync("GET", "model-versions/get-download-uri?name=m&version=1")).Status
        );
    }

    [Fact]
    public async Task What_was_made_behind_the_gateway_is_admitted_as_registered_and_no_more()
    {
        await using var pair = await StartAsync();
        await RegisterAsync(pair.Upstream);
        await Stage(pair.Upstream, "3", "Production");
        await pair.SweepAsync();
        var drift = await DriftAsync(pair);
        var (made, stage) = (
            (string)drift.Single(row => (string)row!["kind"]! == "version_made")!["id"]!,
            (string)drift.Single(row => (string)row!["kind"]! == "stage")!["id"]!
        );

        Assert.Equal(409, await PostAsync(pair, $"drift/{stage}/accept", "admin"));
        Assert.Equal(200, await PostAsync(pair, $"drift/{made}/accept", "admin"));
        var version = await pair.Gateway.OkAsync("GET", "model-versions/get?name=m&version=3");
        Assert.Equal("None", (string)version["model_version"]!["current_stage"]!);
        Assert.Equal(200, await PostAsync(pair, $"drift/{stage}/repair", "admin"));
        Assert.Equal("None", await UpstreamStageAsync(pair, "3"));
        Assert.Empty(await pair.SweepAsync());
    }

    [Fact]
    public async Task A_change_through_the_gateway_leaves_what_is_open_as_it_was_found()
    {
        await using var pair = await StartAsync();
        await Stage(pair.Upstream, "2", "Production");
        await pair.SweepAsync();

        await pair.Gateway.OkAsync(
            "POST",
            "registered-models/set-tag",
            new
            {
                name = "m",
                key = "k",
                value = "v",
            }
        );

        Assert.Equal("Production", await UpstreamStageAsync(pair, "2"));
        Assert.Equal(["m/2 stage"], await pair.OpenAsync());
    }

    [Theory]
    [InlineData("ds")]
    [InlineData("viewer-1")]
    [InlineData("reviewer-1")]
    [InlineData("scraper-1")]
    [InlineData("nobody")]
    public async Task Only_who_operates_the_gateway_sees_and_ends_drift(string actor)
    {
        await using var pair = await StartAsync();
        await Stage(pair.Upstream, "1", "None");
        await pair.SweepAsync();
        var id = (string)(await DriftAsync(pair))[0]!["id"]!;

        Assert.Equal(403, await PostAsync(pair, $"drift/{id}/repair", actor));
        Assert.Equal(403, await PostAsync(pair, $"drift/{id}/accept", actor));
        using var message = new HttpRequestMessage(HttpMethod.Get, "/api/v1/upstream/drift");
        message.Headers.Add("X-Actor", actor);
        using var answer = await pair.Gateway.Client.SendAsync(message, TestContext.Current.CancellationToken);
        Assert.Equal(403, (int)answer.StatusCode);
        Assert.Equal(["m/1 stage"], await pair.OpenAsync());
    }

    private static async Task<UpstreamPair> StartAsync(bool startSweeps = false)
    {
        var pair = await UpstreamPair.StartAsync(startSweeps: startSweeps);
        var path = await pair.Gateway.VersionAsync("m");
        await pair.Gateway.RegisterAsync("m", $"mlflow-artifacts:/{path}", path.Split('/')[1]);
        await pair.Gateway.OkAsync(
            "POST",
            "registered-models/set-tag",
            new
            {
                name = "m",
                key = "team",
                value = "a",
            }
        );
        await Tag(pair.Gateway, "risk", "high");
        await Stage(pair.Gateway, "1", "Production");
        await Alias(pair.Gateway, "champion", "1");
        if (!startSweeps)
        {
            Assert.Empty(await pair.SweepAsync(first: true));
        }

        return pair;
    }

    private static Task Stage(RegistryHost host, string version, string stage) =>
        host.OkAsync(
            "POST",
            "model-versions/transition-stage",
            new
            {
                name = "m",
                version,
                stage,
            }
        );

    private static Task Alias(RegistryHost host, string alias, string version) =>
        host.OkAsync(
            "POST",
            "registered-models/alias",
            new
            {
                name = "m",
                alias,
                version,
            }
        );

    private static Task Tag(RegistryHost host, string key, string value) =>
        host.OkAsync(
            "POST",
            "model-versions/set-tag",
            new
            {
                name = "m",
                version = "1",
                key,
                value,
            }
        );

    private static async Task RegisterAsync(RegistryHost host, string key = "k", string value = "v")
    {
        var first = await host.OkAsync("GET", "model-versions/get?name=m&version=1");
        await host.OkAsync(
            "POST",
            "model-versions/create",
            new
            {
                name = "m",
                source = (string)first["model_version"]!["source"]!,
                run_id = (string)first["model_version"]!["run_id"]!,
                tags = new[] { new { key, value } },
            }
        );
    }

    // The administrators of the server, who need none of its routes.
    private static async Task EditAsync(RegistryHost host, Action<VersionRow> edit)
    {
        await host.Database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                edit(await session.Db.Set<VersionRow>().SingleAsync(row => row.Number == 1, token));
                return default(Unit);
            },
            TestContext.Current.CancellationToken
        );
    }

    private static async Task FileAsync(RegistryHost host, string path, string? content)
    {
        StoredBlob? blob = null;
        if (content is not null)
        {
            using var bytes = new MemoryStream(Encoding.UTF8.GetBytes(content));
            blob = (await host.Database.Blobs.PutAsync(bytes, 1000, TestContext.Current.CancellationToken)).Value;
        }

        await host.Database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var container = await session.Db.Set<ArtifactRow>().Select(row => row.Container).FirstAsync(token);
                var row = await session.Db.Set<ArtifactRow>().FindAsync([container, path], token);
                if (row is not null)
                {
                    session.Db.Remove(row);
                    await session.Db.SaveChangesAsync(token);
                }

                if (blob is not null)
                {
                    await host.Database.Blobs.AttachAsync(session, blob, token);
                    session.Db.Add(
                        new ArtifactRow
                        {
                            Container = container,
                            Path = path,
                            Size = blob.Size,
                            Digest = blob.Digest.Hex,
                        }
                    );
                }

                return default(Unit);
            },
            TestContext.Current.CancellationToken
        );
    }

    private static int Findings(UpstreamPair pair) =>
        pair.Gateway.Database.Log.Entries.Count(entry => entry.Kind == "upstream.drift");

    private static async Task<string> UpstreamStageAsync(UpstreamPair pair, string version)
    {
        var answer = await pair.Upstream.OkAsync("GET", $"model-versions/get?name=m&version={version}");
        return (string)answer["model_version"]!["current_stage"]!;
    }

    private static async Task<JsonArray> DriftAsync(UpstreamPair pair)
    {
        using var message = new HttpRequestMessage(HttpMethod.Get, "/api/v1/upstream/drift");
        message.Headers.Add("X-Actor", "admin");
        using var answer = await pair.Gateway.Client.SendAsync(message, TestContext.Current.CancellationToken);
        var body = await answer.Content.ReadFromJsonAsync<JsonNode>(TestContext.Current.CancellationToken);
        return body!["drift"]!.AsArray();
    }

    private static async Task<int> PostAsync(UpstreamPair pair, string path, string actor)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, $"/api/v1/upstream/{path}");
        message.Headers.Add("X-Actor", actor);
        using var answer = await pair.Gateway.Client.SendAsync(message, TestContext.Current.CancellationToken);
        return (int)answer.StatusCode;
    }
}
