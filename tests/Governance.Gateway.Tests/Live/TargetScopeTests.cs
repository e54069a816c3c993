using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Governance.Gateway.Demo;
using Governance.Identity.Contracts;
using Governance.Kernel;

namespace Governance.Gateway.Tests.Live;

/// <summary>A grant that reaches some stages and aliases bites on every way to the choke point.</summary>
[Collection(GatewayTests.Name)]
public sealed class TargetScopeTests(LiveGateway gateway)
{
    private static readonly string[] Moves = ["Staging", "Production", "Archived"];

    [Fact]
    public async Task Who_may_promote_to_Staging_only_does_that_and_nothing_else_by_any_way()
    {
        var model = await new Story(gateway).ModelAsync("scope-staging");
        var http = await ManagerAsync("scope-staging", model, ["stage:Staging"], []);

        Assert.True((await Story.ToStageAsync(new DemoClient(http), model, "Staging")).Ok);
        Assert.True((await Story.SetAliasAsync(gateway.As("dana"), model, "dev-1")).Ok);
        foreach (var refused in await EveryOtherMoveAsync(http, model))
        {
            Assert.Equal((HttpStatusCode.Forbidden, ""), (refused.Status, Reach(refused)));
        }

        Assert.Equal("Staging", await new Story(gateway).StageAsync(model));
    }

    [Fact]
    public async Task Who_may_set_aliases_but_not_champion_neither_sets_nor_removes_it()
    {
        var model = await new Story(gateway).ModelAsync("scope-alias");
        var http = await ScientistAsync("scope-alias", model, ["alias:*"], ["alias:dev-champion"]);
        var aliases = new DemoClient(http);

        Assert.True((await Story.SetAliasAsync(aliases, model, "dev-1")).Ok);
        Assert.True((await Story.SetAliasAsync(gateway.As("dana"), model, "dev-champion")).Ok);
        var set = await Story.SetAliasAsync(aliases, model, "dev-champion");
        var other = await Story.SetAliasAsync(aliases, model, "dev-Champion");
        var removed = await gateway.DeleteAsync(
            "dana",
            "/api/2.0/mlflow/registered-models/alias",
            new JsonObject { ["name"] = model, ["alias"] = "dev-1" }
        );
        var gone = await RemoveAliasAsync(http, model, "dev-champion");
        var deleted = await DeleteAsync(http, "model-versions/delete", new() { ["name"] = model, ["version"] = "1" });

        Assert.Equal(
            [
                HttpStatusCode.Forbidden,
                HttpStatusCode.Forbidden,
                HttpStatusCode.OK,
                HttpStatusCode.Forbidden,
                HttpStatusCode.Forbidden,
            ],
            [set.Status, other.Status, removed.Status, gone.Status, deleted.Status]
        );
        Assert.Contains("do not reach", set.Text("message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_may_approve_for_Staging_only_does_not_approve_for_Production()
    {
        var model = await new Story(gateway).ModelAsync("scope-review");
        var request = Story.RequestOf(await Story.ToStageAsync(gateway.As("sam"), model, "Production"));
        var can = await CanAsync("rita", "promotion:approve", model, "stage:Production");

        Assert.True(can["allowed"]!.GetValue<bool>());
        var service = new DemoClient(
            await gateway.ServiceAsync("scope-review", Scoped("reviewer", model, ["stage:Staging"], []))
        );
        var answer = await service.GraphQlAsync(
            "mutation($id:ID!){approveRequest(id:$id){state}}",
            new JsonObject { ["id"] = request }
        );

        Assert.Equal("promotion.may_not_approve", answer["errors"]![0]!["extensions"]!["code"]!.ToString());
    }

    [Fact]
    public async Task Can_explains_what_a_target_is_missing()
    {
        var model = await new Story(gateway).ModelAsync("scope-can");
        var client = new DemoClient(await ManagerAsync("scope-can", model, ["stage:Staging"], []));

        var rest = await client.ApiGetAsync(
            $"/api/v1/can?permission=promotion:carry-out&object=model:{model}&target=stage:Production"
        );
        var yes = await client.ApiGetAsync(
            $"/api/v1/can?permission=promotion:carry-out&object=model:{model}&target=stage:Staging"
        );

        Assert.False(rest.Body["allowed"]!.GetValue<bool>());
        Assert.Equal(
            $"By role release-manager on model {model}, but no such grant reaches stage:Production.",
            rest.Text("reason")
        );
        Assert.True(yes.Body["allowed"]!.GetValue<bool>());
    }

    [Fact]
    public async Task Can_about_somebody_else_is_for_administrators_and_tells_nothing_of_what_they_may_not_see()
    {
        var model = await new Story(gateway).ModelAsync("scope-other");
        var dana = (await gateway.As("dana").ApiGetAsync("/api/v1/whoami")).Text("id");

        var asked = await gateway.As("rita").ApiGetAsync($"/api/v1/can?permission=model:write&subject={dana}");
        var owned = await gateway
            .As("admin")
            .ApiGetAsync($"/api/v1/can?permission=model:write&object=model:{model}&subject={dana}");
        var absent = await gateway
            .As("admin")
            .ApiGetAsync($"/api/v1/can?permission=model:write&object=model:{model}-absent&subject={dana}");
        var own = await gateway.As("dana").ApiGetAsync($"/api/v1/can?permission=model:write&object=model:{model}");

        Assert.Equal((HttpStatusCode.Forbidden, "identity.denied"), (asked.Status, asked.Text("code")));
        Assert.Equal(absent.Body.ToJsonString(), owned.Body.ToJsonString());
        Assert.Contains("as owner", own.Text("reason"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model:read")]
    [InlineData("self:read")]
    [InlineData("dataset:read")]
    [InlineData("dataset:declare")]
    public async Task Can_tells_nothing_of_a_dataset_that_a_grant_reaches_and_does_not_show(string permission)
    {
        var name = $"scope-secret-{permission.Replace(':', '-')}";
        var there = await new Story(gateway).UploadAsync(name, seed: 3);
        var client = new DemoClient(
            await gateway.ServiceAsync(name, new RoleGrant("viewer", ObjectKind.Dataset, "scope-secret-*"))
        );

        var hidden = await client.ApiGetAsync($"/api/v1/can?permission={permission}&object=dataset:{there.Hex}");
        var absent = await client.ApiGetAsync(
            $"/api/v1/can?permission={permission}&object=dataset:{Digest.Of(name).Hex}"
        );

        Assert.Equal(HttpStatusCode.OK, absent.Status);
        Assert.Equal(absent.Body.ToJsonString(), hidden.Body.ToJsonString());
    }

    // MLflow's two stage calls, GraphQL, aliases, deletion and renaming: everything that moves something.
    private static async Task<IReadOnlyList<Answer>> EveryOtherMoveAsync(HttpClient http, string model)
    {
        var client = new DemoClient(http);
        var answers = new List<Answer>();
        foreach (var stage in Moves.Where(stage => stage != "Staging").Append("None"))
        {
            answers.Add(await Story.ToStageAsync(client, model, stage));
        }

        answers.Add(await GraphQlMoveAsync(client, model, """{"stage":"PRODUCTION"}"""));
        answers.Add(await GraphQlMoveAsync(client, model, """{"alias":"champion"}"""));
        answers.Add(await Story.SetAliasAsync(client, model, "champion"));
        answers.Add(await Story.SetAliasAsync(client, model, "dev-2"));
        answers.Add(await RemoveAliasAsync(http, model, "dev-1"));
        answers.Add(await DeleteAsync(http, "model-versions/delete", new() { ["name"] = model, ["version"] = "1" }));
        answers.Add(await DeleteAsync(http, "registered-models/delete", new() { ["name"] = model }));
        answers.Add(
            await client.PostAsync("registered-models/rename", new() { ["name"] = model, ["new_name"] = $"{model}-x" })
        );
        return answers;
    }

    private static string Reach(Answer answer)
    {
        var text = answer.Body.ToJsonString();
        return text.Contains("do not reach", StringComparison.Ordinal) ? "" : text;
    }

    private static async Task<Answer> GraphQlMoveAsync(DemoClient client, string model, string target)
    {
        var answer = await client.GraphQlAsync(
            "mutation($m:String!,$t:PromotionTarget!){carryOutPromotion(model:$m,version:1,target:$t){version{stage}}}",
            new JsonObject { ["m"] = model, ["t"] = JsonNode.Parse(target) }
        );
        return new Answer(answer["errors"] is null ? HttpStatusCode.OK : HttpStatusCode.Forbidden, answer);
    }

    private async Task<JsonNode> CanAsync(string account, string permission, string model, string touching) =>
        (
            await gateway
                .As(account)
                .GraphQlAsync(
                    "query($p:String!,$o:String!,$t:String!){can(permission:$p,object:$o,touching:$t){allowed reason}}",
                    new JsonObject
                    {
                        ["p"] = permission,
                        ["o"] = $"model:{model}",
                        ["t"] = touching,
                    }
                )
        )["data"]!["can"]!;

    private static Task<Answer> RemoveAliasAsync(HttpClient http, string model, string alias) =>
        DeleteAsync(http, "registered-models/alias", new() { ["name"] = model, ["alias"] = alias });

    private static async Task<Answer> DeleteAsync(HttpClient http, string route, JsonObject body)
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Delete,
            new Uri($"/api/2.0/mlflow/{route}", UriKind.Relative)
        )
        {
            Content = JsonContent.Create(body),
        };
        using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return new Answer(answer.StatusCode, JsonNode.Parse(text) ?? new JsonObject());
    }

    private Task<HttpClient> ManagerAsync(string name, string model, string[] only, string[] except) =>
        gateway.ServiceAsync(name, Scoped("release-manager", model, only, except));

    private Task<HttpClient> ScientistAsync(string name, string model, string[] only, string[] except) =>
        gateway.ServiceAsync(name, Scoped("data-scientist", model, only, except));

    private static RoleGrant Scoped(string role, string model, string[] only, string[] except) =>
        new(role, ObjectKind.Model, model) { Targets = new TargetScope(only, except) };
}
