using Governance.Kernel;
using Governance.Registry.Contracts;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.GraphQl;

public sealed class MutationTests
{
    [Fact]
    public async Task Carrying_out_hands_the_move_to_the_one_gate()
    {
        var world = new World();
        world.Add("m", 1);
        await using var host = await TestHost.StartAsync(world);

        var answer = await host.AskAsync(
            "mutation{carryOutPromotion(model:\"m\",version:1,target:{stage:PRODUCTION},archiveExisting:true){version{version} receipt{json}}}",
            "manager"
        );

        Assert.Equal(
            """{"data":{"carryOutPromotion":{"version":{"version":1},"receipt":{"json":"{\u0022statement\u0022:\u0022signed\u0022}"}}}}""",
            answer.Text
        );
        Assert.Equal(new Move(new ModelVersionRef("m", 1), MoveKind.SetStage, "Production", true), world.Moves[0].Move);
    }

    [Fact]
    public async Task An_alias_is_a_target_too()
    {
        await using var host = await TestHost.StartAsync();

        await host.AskAsync(
            "mutation{carryOutPromotion(model:\"m\",version:1,target:{alias:\"champion\"}){receipt{id}}}",
            "manager"
        );

        Assert.Equal(MoveKind.SetAlias, host.World.Moves[0].Move.Kind);
        Assert.Equal("champion", host.World.Moves[0].Move.Target);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{stage:STAGING,alias:\"a\"}")]
    [InlineData("{stage:null}")]
    public async Task A_target_is_exactly_one_of_stage_and_alias(string target)
    {
        await using var host = await TestHost.StartAsync();

        var answer = await host.AskAsync(
            $"mutation{{carryOutPromotion(model:\"m\",version:1,target:{target}){{receipt{{id}}}}}}",
            "manager"
        );

        Assert.NotEmpty(answer.Errors);
        Assert.Empty(host.World.Moves);
    }

    [Fact]
    public async Task A_refusal_by_policy_carries_its_code_and_every_reason()
    {
        var failure = Failure.Denied("promotion.denied", "Policy refuses this.") with { Reasons = ["role", "privacy"] };
        await using var host = await TestHost.StartAsync(new World { NextFailure = failure });

        var answer = await host.AskAsync(
            "mutation{carryOutPromotion(model:\"m\",version:1,target:{stage:PRODUCTION}){receipt{id}}}",
            "manager"
        );

        Assert.Equal(["promotion.denied"], answer.Codes);
        Assert.Equal("""["role","privacy"]""", answer.Errors[0]["extensions"]!["reasons"]!.ToJsonString());
    }

    [Fact]
    public async Task A_request_is_opened_reviewed_and_withdrawn()
    {
        var world = new World();
        world.Add("m", 1);
        world.Requests.Add(world.Request("m", 1));
        var id = world.Requests[0].Id;
        await using var host = await TestHost.StartAsync(world);

        var opened = await host.AskAsync(
            "mutation{requestPromotion(model:\"m\",version:1,target:{stage:PRODUCTION},reason:\"r\"){state target}}",
            "manager"
        );
        var reviewed = await host.AskAsync(
            $"mutation{{approveRequest(id:\"{id}\"){{id}}rejectRequest(id:\"{id}\"){{id}}withdrawRequest(id:\"{id}\"){{id}}}}",
            "manager"
        );
        var unknown = await host.AskAsync("mutation{approveRequest(id:\"no id\"){id}}", "manager");

        Assert.Equal("open", (string)opened.Data["requestPromotion"]!["state"]!);
        Assert.Empty(reviewed.Errors);
        Assert.Equal(["promotion.request_not_found"], unknown.Codes);
    }

    [Fact]
    public async Task A_derivation_is_recorded_with_its_columns()
    {
        await using var host = await TestHost.StartAsync();
        var (input, output) = (Digest.Of("in"), Digest.Of("out"));

        var answer = await host.AskAsync(
            $"mutation{{recordDerivation(inputs:[\"{input}\"],output:\"{output}\",description:\"d\",columns:[{{column:\"a\",from:[\"b\"]}}]){{output grade columns{{column from}}}}}}",
            "officer"
        );
        var twice = await host.AskAsync(
            $"mutation{{recordDerivation(inputs:[],output:\"{output}\",description:\"d\",columns:[{{column:\"a\",from:[]}},{{column:\"a\",from:[]}}]){{output}}}}",
            "officer"
        );
        var bad = await host.AskAsync(
            "mutation{recordDerivation(inputs:[\"xyz\"],output:\"ABC\",description:\"d\"){output}}",
            "officer"
        );

        Assert.Equal("declared", (string)answer.Data["recordDerivation"]!["grade"]!);
        Assert.Equal(["b"], host.Services.GetRequiredService<FakeDatasets>().DerivedColumns!["a"]);
        Assert.Equal(["graphql.duplicate_column"], twice.Codes);
        Assert.Equal(["graphql.bad_digest"], bad.Codes);
    }

    [Fact]
    public async Task Datasets_are_declared_and_anonymised_and_reports_are_made()
    {
        var world = new World();
        world.Add("m", 1);
        var sha256 = world.Datasets.Keys.Single();
        await using var host = await TestHost.StartAsync(world);

        var dataset = await host.AskAsync(
            $"mutation{{declareDataset(sha256:\"{sha256}\",declaration:{{quasiIdentifiers:[\"zip\"],leastK:5}}){{name}}anonymiseDataset(sha256:\"{sha256}\",outputName:\"o\",treatments:[{{column:\"email\",method:DROP}}]){{name}}}}",
            "officer"
        );
        var tooMany = await host.AskAsync(
            $"mutation($c:[ColumnTreatmentInput!]!){{anonymiseDataset(sha256:\"{sha256}\",outputName:\"o\",treatments:$c){{name}}}}",
            "officer",
            new { c = Enumerable.Range(0, 201).Select(i => new { column = $"c{i}", method = "DROP" }) }
        );
        var report = await host.AskAsync(
            "mutation{createReport(model:\"m\",version:1,regulation:\"gdpr\"){href}}",
            "auditor"
        );

        Assert.Empty(dataset.Errors);
        Assert.Equal(["graphql.too_many_items"], tooMany.Codes);
        Assert.StartsWith("/api/v1/reports/", (string)report.Data["createReport"]!["href"]!);
    }

    [Fact]
    public async Task Controls_are_evaluated_for_a_known_regulation()
    {
        var world = new World();
        world.Add("m", 1);
        await using var host = await TestHost.StartAsync(world);

        var answer = await host.AskAsync(
            "{controls(model:\"m\",version:1,regulation:\"gdpr\"){id state} none:controls(model:\"m\",version:2,regulation:\"gdpr\"){id}}",
            "auditor"
        );
        var unknown = await host.AskAsync("{controls(model:\"m\",version:1,regulation:\"moon\"){id}}", "auditor");

        Assert.Equal("""{"data":{"controls":[{"id":"GDPR-1","state":"GAP"}],"none":null}}""", answer.Text);
        Assert.Equal(["graphql.unknown_regulation"], unknown.Codes);
    }
}
