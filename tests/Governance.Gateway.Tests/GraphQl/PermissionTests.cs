using Governance.Kernel;
using Governance.Platform.Logging;

namespace Governance.Gateway.Tests.GraphQl;

public sealed class PermissionTests
{
    private const string Log = "{logEntries{items{id}}}";

    [Theory]
    [InlineData("{logEntries{items{id}}}")]
    [InlineData("{harmless:logEntries{items{id}}}")]
    [InlineData("{...on Query{logEntries{items{id}}}}")]
    [InlineData("{...f}fragment f on Query{...g}fragment g on Query{logEntries{items{id}}}")]
    [InlineData("{logEntries @skip(if:true){items{id}}}")]
    [InlineData("query($no:Boolean!=false){logEntries @include(if:$no){items{id}}}")]
    [InlineData("{models{items{name}} logEntries{items{id}}}")]
    public async Task A_field_that_the_caller_lacks_refuses_the_whole_request_and_is_logged(string document)
    {
        await using var host = await TestHost.StartAsync();

        var answer = await host.AskAsync(document, "viewer");

        Assert.Equal(403, answer.Status);
        Assert.False(answer.HasData);
        Assert.Equal(["PERMISSION_DENIED"], answer.Codes);
        Assert.DoesNotContain("models", host.World.Calls.Keys);
        Assert.DoesNotContain("log", host.World.Calls.Keys);
        var entry = Assert.Single(host.World.Log);
        Assert.Equal(("graphql.refused", LogOutcome.Refused, "viewer"), (entry.Kind, entry.Outcome, entry.Actor.Id));
        Assert.Equal("""{"missing":["audit:read"]}""", entry.Details.ToJsonString());
    }

    [Fact]
    public async Task An_old_sign_in_changes_nothing_and_still_reads()
    {
        await using var host = await TestHost.StartAsync();
        var approve = $"mutation{{approveRequest(id:\"{Guid.Empty}\"){{id}}}}";
        Assert.NotEqual(401, (await host.AskAsync(approve, "manager")).Status); // cached from here on

        var refused = await host.AskAsync(approve, "manager+stale");
        var read = await host.AskAsync("{models{items{name}}}", "manager+stale");

        Assert.Equal((401, 200), (refused.Status, read.Status));
        Assert.Equal(["identity.reauthentication_needed"], refused.Codes);
        Assert.Contains("\"maxAge\":900", refused.Text, StringComparison.Ordinal);
        var entry = Assert.Single(host.World.Log, entry => entry.Actor.Id == "manager+stale");
        Assert.Equal("""{"code":"identity.reauthentication_needed"}""", entry.Details.ToJsonString());
    }

    [Fact]
    public async Task A_token_that_is_not_bound_reads_nothing_that_is_kept_for_bound_ones()
    {
        await using var host = await TestHost.StartAsync();
        Assert.Equal(200, (await host.AskAsync(Log, "auditor")).Status);
        using var client = host.Client("auditor+bearer");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/graphql")
        {
            Content = new StringContent($$"""{"query":"{{Log}}"}""", System.Text.Encoding.UTF8, "application/json"),
        };
        request.Headers.Accept.ParseAdd("application/graphql-response+json");

        using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        Assert.Equal(System.Net.HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains("identity.bound_token_needed", text, StringComparison.Ordinal);
        Assert.DoesNotContain("\"data\":{", text, StringComparison.Ordinal);
        Assert.StartsWith(
            "DPoP realm=\"governance\", error=\"invalid_token\"",
            answer.Headers.WwwAuthenticate.ToString(),
            StringComparison.Ordinal
        );
        Assert.Contains(host.World.Log, entry => entry.Kind == "graphql.refused");
    }

    [Fact]
    public async Task A_document_cached_by_a_privileged_caller_is_refused_to_another()
    {
        await using var host = await TestHost.StartAsync();
        Assert.Equal(200, (await host.AskAsync(Log, "auditor")).Status);
        Assert.Equal(200, (await host.AskAsync(Log, "auditor")).Status);

        var answer = await host.AskAsync(Log, "viewer");

        Assert.Equal(["PERMISSION_DENIED"], answer.Codes);
    }

    [Fact]
    public async Task A_refusal_that_cannot_be_logged_gives_no_data_either()
    {
        await using var host = await TestHost.StartAsync(new World { LogBroken = true });

        var answer = await host.AskAsync(Log, "viewer");

        Assert.NotEqual(200, answer.Status);
        Assert.False(answer.HasData);
        Assert.DoesNotContain("/var/secret", answer.Text);
    }

    [Theory]
    [InlineData("{model(name:\"theirs\"){name}}", "{model(name:\"nothing\"){name}}")]
    [InlineData("{version(model:\"theirs\",version:1){source}}", "{version(model:\"nothing\",version:1){source}}")]
    [InlineData("{run(id:\"run-theirs-1\"){name}}", "{run(id:\"run-nothing-1\"){name}}")]
    [InlineData(
        "{lineage(start:{version:{model:\"theirs\",version:1}}){nodes{urn}}}",
        "{lineage(start:{version:{model:\"nothing\",version:1}}){nodes{urn}}}"
    )]
    public async Task What_is_not_yours_is_answered_like_what_is_not_there(string theirs, string nothing)
    {
        await using var host = await TestHost.StartAsync(Two());

        var one = await host.AskAsync(theirs, "viewer@model=mine+viewer@experiment=exp-mine");
        var other = await host.AskAsync(nothing, "viewer@model=mine+viewer@experiment=exp-mine");

        Assert.Equal(200, one.Status);
        Assert.Equal(other.Text, one.Text);
    }

    [Fact]
    public async Task A_request_on_a_model_of_others_is_answered_like_none()
    {
        var world = Two();
        world.Requests.Add(world.Request("theirs", 1));
        await using var host = await TestHost.StartAsync(world);

        var query = $"{{request(id:\"{world.Requests[0].Id}\"){{id}}requests{{items{{id}}}}}}";
        var other = await host.AskAsync(query, "viewer@model=mine");
        var own = await host.AskAsync(query, "viewer@model=theirs");

        Assert.Equal("""{"data":{"request":null,"requests":{"items":[]}}}""", other.Text);
        Assert.NotNull(own.Data["request"]);
    }

    [Fact]
    public async Task Each_field_is_checked_on_the_object_that_it_belongs_to()
    {
        await using var host = await TestHost.StartAsync(Two());
        const string Query =
            "{version(model:\"mine\",version:1){version run{name} datasets{name dataset{name}} controls(regulation:\"gdpr\"){id}}}";

        // report:read is held, but on another model; experiment and dataset are somebody else's.
        var answer = await host.AskAsync(
            Query,
            "viewer@model=mine+auditor@model=other+viewer@experiment=other+viewer@dataset=other"
        );

        Assert.Equal("""{"data":{"version":{"version":1,"run":null,"datasets":null,"controls":null}}}""", answer.Text);
    }

    [Fact]
    public async Task Findings_are_served_only_with_their_permission_and_after_a_log_entry()
    {
        var world = Two();
        await using var host = await TestHost.StartAsync(world);
        const string Query = "{datasets{items{sha256 columns findings{column what}}}}";

        var viewer = await host.AskAsync(Query, "viewer");
        world.Log.Clear();
        world.Forget();
        var officer = await host.AskAsync(Query, "officer");

        Assert.Equal(["PERMISSION_DENIED"], viewer.Codes);
        Assert.Contains("EMAIL", officer.Text);
        Assert.Equal(
            world.Datasets.Keys.Select(digest => $"dataset:sha256:{digest}").Order(),
            world.Log.Where(entry => entry.Kind == "finding.read").Select(entry => entry.Subject).Order()
        );
        Assert.Equal(1, world.Calls["write"]);
    }

    [Theory]
    [InlineData("{datasets{items{findings{column}}}}", "EMAIL")]
    [InlineData("{logEntries{items{kind}}}", "registry.moved")]
    public async Task A_sensitive_read_that_cannot_be_logged_gives_nothing(string query, string secret)
    {
        var world = Two();
        world.LogBroken = true;
        await using var host = await TestHost.StartAsync(world);

        var answer = await host.AskAsync(query, "auditor");

        Assert.Equal("INTERNAL", answer.Codes[0]);
        Assert.DoesNotContain(secret, answer.Text);
    }

    [Fact]
    public async Task Reading_the_log_is_logged_and_needs_the_permission_on_everything()
    {
        await using var host = await TestHost.StartAsync();

        var everywhere = await host.AskAsync(
            "{logEntries(actor:\"bob\"){items{kind proof{leafIndex checkpoint}}}}",
            "auditor"
        );
        var somewhere = await host.AskAsync(Log, "auditor@model=mine");

        Assert.Equal("note", (string)everywhere.Data["logEntries"]!["items"]![0]!["proof"]!["checkpoint"]!);
        Assert.Equal(["PERMISSION_DENIED"], somewhere.Codes);
        Assert.Equal(["audit.read", "graphql.refused"], host.World.Log.Select(entry => entry.Kind));
        Assert.DoesNotContain("bob", host.World.Log[0].Details.ToJsonString());
    }

    [Fact]
    public async Task Introspection_needs_a_signed_in_actor_only()
    {
        await using var host = await TestHost.StartAsync();

        var answer = await host.AskAsync("{__schema{types{name}} __type(name:\"Query\"){name}}", "nobody");

        Assert.Equal(200, answer.Status);
        Assert.Equal("Query", (string)answer.Data["__type"]!["name"]!);
    }

    [Fact]
    public async Task Lineage_shows_only_what_the_caller_may_know_of()
    {
        await using var host = await TestHost.StartAsync(Two());
        var digest = Digest.Of("shared");
        var query = $"{{lineage(start:{{dataset:\"{digest}\"}},direction:DOWN){{nodes{{urn}}edges{{from to}}}}}}";

        var all = await host.AskAsync(query, "viewer");
        var some = await host.AskAsync(query, "viewer@dataset=shared+viewer@experiment=exp-mine+viewer@model=mine");

        Assert.Contains("run:run-theirs-1", all.Text);
        Assert.Contains("version:theirs/1", all.Text);
        Assert.Contains("version:mine/1", some.Text);
        Assert.DoesNotContain("theirs", some.Text);
    }

    [Fact]
    public async Task Can_tells_what_the_caller_may_do()
    {
        await using var host = await TestHost.StartAsync(Two());

        var answer = await host.AskAsync(
            "{a:can(permission:\"model:read\",object:\"model:mine\"){allowed grant{role pattern}} b:can(permission:\"model:read\",object:\"model:theirs\"){allowed reason} c:can(permission:\"model:read\"){allowed}}",
            "viewer@model=mine"
        );
        var unknown = await host.AskAsync("{can(permission:\"model:fly\"){allowed}}");

        Assert.Equal(
            """{"data":{"a":{"allowed":true,"grant":{"role":"viewer","pattern":"mine"}},"b":{"allowed":false,"reason":"No grant gives model:read there. It takes one of these roles, on the object: auditor, manager, officer, viewer."},"c":{"allowed":false}}}""",
            answer.Text
        );
        Assert.Equal(["graphql.unknown_permission"], unknown.Codes);
    }

    private static World Two()
    {
        var world = new World();
        world.Add("mine", 1, dataset: "shared");
        world.Add("theirs", 1, dataset: "shared");
        return world;
    }
}
