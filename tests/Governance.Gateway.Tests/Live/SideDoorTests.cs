using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Gateway.Demo;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Live;

/// <summary>Ways around a right or a promotion that a hostile reader of this code found open once.</summary>
[Collection(GatewayTests.Name)]
public sealed class SideDoorTests(LiveGateway gateway)
{
    private readonly Story _story = new(gateway);

    [Fact]
    public async Task A_model_is_not_renamed_into_names_that_one_has_no_right_on()
    {
        using var http = await gateway.ServiceAsync(
            "door-team-a",
            new RoleGrant("data-scientist", ObjectKind.Model, "door-a-*")
        );
        var team = new DemoClient(http);
        Assert.True((await team.PostAsync("registered-models/create", Named("door-a-x"))).Ok);

        var outside = await RenameAsync(team, "door-a-x", "door-b-x");
        var within = await RenameAsync(team, "door-a-x", "door-a-y");

        Assert.Equal(HttpStatusCode.Forbidden, outside.Status);
        Assert.True(within.Ok, within.Body.ToJsonString());
        Assert.False((await gateway.As("ada").GetAsync("registered-models/get?name=door-b-x")).Ok);
    }

    [Fact]
    public async Task A_release_manager_of_some_names_renames_what_serves_into_no_others()
    {
        await _story.ModelAsync("door-serving", 61);
        await _story.PromoteAsync("door-serving");
        using var http = await gateway.ServiceAsync(
            "door-manager",
            new RoleGrant("release-manager", ObjectKind.Model, "door-s*")
        );
        var manager = new DemoClient(http);

        var within = await RenameAsync(manager, "door-serving", "door-served");
        var outside = await RenameAsync(manager, "door-serving", "else-served");

        Story.RequestOf(within);
        Assert.Equal(HttpStatusCode.Forbidden, outside.Status);
        Assert.Contains("Only release-manager", outside.Text("message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_role_on_a_pattern_opens_no_route_that_is_about_no_object()
    {
        using var http = await gateway.ServiceAsync(
            "door-half-admin",
            new RoleGrant("admin", ObjectKind.Model, "door-z"),
            new RoleGrant("auditor", ObjectKind.Model, "door-z")
        );
        var half = new DemoClient(http);
        var me = (await half.ApiGetAsync("/api/v1/whoami")).Text("id");
        foreach (var path in new[] { "/api/v1/subjects", "/metrics", "/api/v1/models/door-z/versions/1/lineage" })
        {
            var answer = await half.ApiGetAsync(path);

            Assert.True(answer.Status == HttpStatusCode.Forbidden, $"{path}: {answer.Status}");
        }

        var refused = await gateway
            .Services.GetRequiredService<IAuditLog>()
            .QueryAsync(
                new AuditQuery
                {
                    ActorId = me,
                    KindPrefix = "access.denied",
                    First = 50,
                },
                TestContext.Current.CancellationToken
            );
        Assert.Equal(3, refused.Items.Count);
    }

    [Fact]
    public async Task The_lineage_of_ones_own_version_shows_no_dataset_of_somebody_else()
    {
        await _story.ModelAsync("door-lineage", 62);

        var own = await gateway.As("dana").ApiGetAsync("/api/v1/models/door-lineage/versions/1/lineage");
        var auditors = await gateway.As("ada").ApiGetAsync("/api/v1/models/door-lineage/versions/1/lineage");

        Assert.Equal(HttpStatusCode.Forbidden, own.Status);
        Assert.Contains(_story.Dataset.Hex, auditors.Body.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Neither_requester_nor_service_approves_and_whoever_approved_does_not_carry_out()
    {
        await _story.ModelAsync("door-eyes", 17);
        var sam = gateway.As("sam");
        var own = Story.RequestOf(await Story.ToStageAsync(sam, "door-eyes", "Production"));
        var danas = (
            await gateway
                .As("dana")
                .GraphQlAsync("mutation{requestPromotion(model:\"door-eyes\",version:1,target:{stage:PRODUCTION}){id}}")
        )["data"]!["requestPromotion"]!["id"]!.ToString();

        Assert.Equal("promotion.self_approval", CodeOf(await ApproveAsync("sam", own)));
        Assert.Equal("promotion.persons_only", CodeOf(await ApproveAsync("approval-bot", own)));
        Assert.Equal("", CodeOf(await ApproveAsync("sam", danas)));
        // The one pair of eyes that approved does not count when it also carries out.
        Story.RequestOf(await Story.ToStageAsync(sam, "door-eyes", "Production"));
        Assert.Equal("None", await _story.StageAsync("door-eyes"));
        Assert.True((await Story.ToStageAsync(gateway.As("remy"), "door-eyes", "Production")).Ok);
    }

    [Fact]
    public async Task Approval_to_delete_a_model_does_not_outlive_a_change_of_its_versions()
    {
        await _story.ModelAsync("door-whole", 62);
        await _story.PromoteAsync("door-whole");
        var asked = Story.RequestOf(await DeleteModelAsync("remy", "door-whole"));
        Assert.Equal("open", await _story.StateAsync(asked));
        await _story.ApproveAsync(asked);

        var tag = Named("door-whole");
        (tag["version"], tag["key"], tag["value"]) = ("1", "note", "changed");
        Assert.True((await gateway.As("dana").PostAsync("model-versions/set-tag", tag)).Ok);
        var again = Story.RequestOf(await DeleteModelAsync("remy", "door-whole"));

        Assert.NotEqual(asked, again);
        Assert.Equal("void", await _story.StateAsync(asked));
        await _story.ApproveAsync(again);
        Assert.True((await DeleteModelAsync("remy", "door-whole")).Ok);
    }

    [Fact]
    public async Task Every_refusal_of_a_document_or_a_request_is_in_the_log_before_its_answer()
    {
        using var http = await gateway.ServiceAsync(
            "door-refused",
            new RoleGrant("viewer", ObjectKind.Model, "door-none"),
            new RoleGrant("reviewer", ObjectKind.Model, "door-none"),
            new RoleGrant("data-scientist", ObjectKind.Model, "door-none")
        );
        var narrow = new DemoClient(http);
        var me = (await narrow.ApiGetAsync("/api/v1/whoami")).Text("id");
        await narrow.ApiGetAsync("/api/v1/models/door-x/versions/1/receipts");
        await narrow.ApiGetAsync($"/api/v1/models/door-x/versions/1/receipts/{Guid.Empty}");
        await narrow.ApiGetAsync("/api/v1/models/door-x/versions/1/sbom");
        await narrow.ApiGetAsync("/api/v1/models/door-x/versions/1/scan");
        await narrow.GraphQlAsync($"mutation{{approveRequest(id:\"{Guid.Empty}\"){{id}}}}");
        await narrow.GraphQlAsync($"mutation{{withdrawRequest(id:\"{Guid.Empty}\"){{id}}}}");
        await narrow.GraphQlAsync(
            "mutation{requestPromotion(model:\"door-x\",version:1,target:{stage:PRODUCTION}){id}}"
        );

        var refused = await gateway
            .Services.GetRequiredService<IAuditLog>()
            .QueryAsync(
                new AuditQuery
                {
                    ActorId = me,
                    Outcome = "refused",
                    First = 50,
                },
                TestContext.Current.CancellationToken
            );

        Assert.Equal(
            [
                "evidence.refused",
                "evidence.refused",
                "promotion.receipt_refused",
                "promotion.receipt_refused",
                "promotion.review_refused",
                "promotion.review_refused",
                "promotion.review_refused",
            ],
            refused.Items.Select(entry => entry.Kind).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task Calls_side_by_side_open_one_request()
    {
        await _story.ModelAsync("door-flood", 63);
        const string ask = "mutation{requestPromotion(model:\"door-flood\",version:1,target:{stage:PRODUCTION}){id}}";

        var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => gateway.As("dana").GraphQlAsync(ask)));

        var ids = answers.Select(answer =>
            answer["data"]?["requestPromotion"]?["id"]?.ToString() ?? answer.ToJsonString()
        );
        Assert.Single(ids.Distinct());
    }

    [Fact]
    public async Task An_approval_that_expired_is_given_again_and_not_before()
    {
        await _story.ModelAsync("door-expired", 64);
        var sam = gateway.As("sam");
        var request = Story.RequestOf(await Story.ToStageAsync(sam, "door-expired", "Production"));
        await _story.ApproveAsync(request);
        var twice = await ApproveAsync("rita", request);
        await ExpireAsync(request);
        Assert.Equal(HttpStatusCode.Forbidden, (await Story.ToStageAsync(sam, "door-expired", "Production")).Status);

        var again = await ApproveAsync("rita", request);

        Assert.Equal("promotion.already_reviewed", CodeOf(twice));
        Assert.Equal("", CodeOf(again));
        Assert.True((await Story.ToStageAsync(sam, "door-expired", "Production")).Ok);
    }

    [Fact]
    public async Task A_table_of_keys_that_a_data_frame_wrote_as_fractions_stands_behind_no_production()
    {
        var csv = new StringBuilder("cpf,user_id,income\n");
        for (var i = 0; i < 200; i++)
        {
            csv.Append(FormattableString.Invariant($"52998224725.0,{20_000_017 + (i * 7919)}.0,{i}.5\n"));
        }

        var uploaded = await gateway
            .As("dana")
            .UploadAsync(
                HttpMethod.Post,
                "/api/v1/datasets?name=door-fractions&format=csv",
                Encoding.UTF8.GetBytes(csv.ToString()),
                "text/csv"
            );
        var outcome = "";
        for (var i = 0; i < 120 && outcome.Length == 0; i++)
        {
            var answer = await gateway
                .As("paul")
                .GraphQlAsync(
                    "query($s:String!){dataset(sha256:$s){scanState verdict{outcome}}}",
                    new JsonObject { ["s"] = uploaded.Text("sha256") }
                );
            var dataset = answer["data"]?["dataset"];
            outcome = dataset?["scanState"]?.ToString() == "SCANNED" ? dataset["verdict"]!["outcome"]!.ToString() : "";
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        Assert.Equal("FAIL", outcome);
    }

    private static JsonObject Named(string name) => new() { ["name"] = name };

    private static Task<Answer> RenameAsync(DemoClient client, string from, string to) =>
        client.PostAsync("registered-models/rename", new JsonObject { ["name"] = from, ["new_name"] = to });

    private Task<Answer> DeleteModelAsync(string account, string model) =>
        gateway.DeleteAsync(account, "/api/2.0/mlflow/registered-models/delete", Named(model));

    private Task<JsonNode> ApproveAsync(string account, string request) =>
        gateway
            .As(account)
            .GraphQlAsync("mutation($id:ID!){approveRequest(id:$id){state}}", new JsonObject { ["id"] = request });

    private static string CodeOf(JsonNode answer) => answer["errors"]?[0]?["extensions"]?["code"]?.ToString() ?? "";

    private async Task ExpireAsync(string request)
    {
        var id = Guid.Parse(request);
        var changed = await gateway
            .Services.GetRequiredService<IWriter>()
            .WriteAsync<int>(
                async (session, token) =>
                    await session.Db.Database.ExecuteSqlAsync(
                        $"""UPDATE promotion_approval SET "ExpiresAt" = "At" WHERE "RequestId" = {id}""",
                        token
                    ),
                TestContext.Current.CancellationToken
            );
        Assert.Equal(1, changed.Value);
    }
}
