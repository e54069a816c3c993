using System.Diagnostics;

namespace Governance.Gateway.Tests.GraphQl;

/// <summary>Abuse through the endpoint: refused whole, with a code, before any reader is asked.</summary>
public sealed class AbuseTests
{
    [Theory]
    [MemberData(nameof(GuardTests.Abuses), MemberType = typeof(GuardTests))]
    public async Task An_abusive_document_is_answered_with_a_code_and_no_data(string what, string document)
    {
        await using var host = await TestHost.StartAsync();

        var answer = await host.AskAsync(document);

        Assert.Equal(400, answer.Status);
        Assert.False(answer.HasData, what);
        Assert.Equal(["LIMIT_EXCEEDED"], answer.Codes);
        Assert.Empty(host.World.Calls);
    }

    [Fact]
    public async Task A_cached_document_is_refused_when_its_variables_make_it_dear()
    {
        await using var host = await TestHost.StartAsync();
        const string Query = "query($n:Int!){models(first:$n){items{name versions(first:20){version}}}}";
        var cheap = await host.AskAsync(Query, variables: new { n = 1 });
        var cheapAgain = await host.AskAsync(Query, variables: new { n = 1 });
        host.World.Forget();

        var dear = await host.AskAsync(Query, variables: new { n = 100_000 });

        Assert.Equal([200, 200], [cheap.Status, cheapAgain.Status]);
        Assert.Equal(400, dear.Status);
        Assert.False(dear.HasData);
        Assert.Equal("LIMIT_EXCEEDED", dear.Codes[0]);
        Assert.Equal("cost", (string)dear.Errors[0]["extensions"]!["limit"]!);
        Assert.Empty(host.World.Calls);
    }

    [Fact]
    public async Task What_one_caller_asks_for_in_a_minute_is_bounded_by_its_cost_and_nobody_elses()
    {
        await using var host = await TestHost.StartAsync(costPerMinute: 1_000);
        const string Dear = "{models(first:100){items{name}}}";
        const string Cheap = "{models(first:1){nextToken}}";

        var asked = new List<Answer>();
        for (var i = 0; i < 30; i++)
        {
            asked.Add(await host.AskAsync(Dear));
        }

        var refused = asked.Find(answer => answer.Status == 400);
        Assert.Equal(200, asked[0].Status);
        Assert.NotNull(refused);
        Assert.False(refused.HasData);
        Assert.Equal("cost-per-minute", (string)refused.Errors[0]["extensions"]!["limit"]!);
        Assert.Equal(200, (await host.AskAsync(Cheap, token: "auditor")).Status);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(201)]
    [InlineData(-5)]
    public async Task A_list_longer_than_200_is_refused_by_its_resolver(int first)
    {
        await using var host = await TestHost.StartAsync();

        var answer = await host.AskAsync("query($n:Int!){models(first:$n){nextToken}}", variables: new { n = first });

        Assert.Equal(["graphql.out_of_range"], answer.Codes);
        Assert.Empty(host.World.Calls);
    }

    [Fact]
    public async Task Cost_counts_default_values_of_variables_and_fragments()
    {
        await using var host = await TestHost.StartAsync();

        var answer = await host.AskAsync(
            "query($n:Int!=200){models(first:$n){...p}}fragment p on ModelPage{items{versions(first:200){version}}}"
        );

        Assert.Equal(["LIMIT_EXCEEDED"], answer.Codes);
    }

    [Fact]
    public async Task An_answer_holds_at_most_ten_errors_from_validation()
    {
        await using var host = await TestHost.StartAsync();

        var answer = await host.AskAsync(
            "{" + string.Concat(Enumerable.Range(0, 10).Select(i => $"whoAmI{{u{i} v{i} w{i}}} ")) + "}"
        );

        Assert.Equal(10, answer.Errors.Count);
        Assert.True(answer.Text.Length < 5_000);
    }

    [Fact]
    public async Task An_answer_holds_at_most_ten_errors_from_resolvers()
    {
        var world = new World();
        foreach (var i in Enumerable.Range(0, 30))
        {
            world.Add($"m{i}", 0);
        }

        await using var host = await TestHost.StartAsync(world);

        var answer = await host.AskAsync("{models{items{name ok:name versions(first:201){version}}}}");

        Assert.Equal(10, answer.Errors.Count);
    }

    [Fact]
    public async Task Repeated_fields_within_the_limits_are_answered_quickly()
    {
        await using var host = await TestHost.StartAsync();
        await host.AskAsync("{whoAmI{id}}");
        var clock = Stopwatch.StartNew();

        var answer = await host.AskAsync("{whoAmI{" + GuardTests.Repeat(990, "id ") + "}}");

        TestContext.Current.TestOutputHelper!.WriteLine($"990 repeats: {clock.Elapsed.TotalMilliseconds:0} ms");
        Assert.Equal(200, answer.Status);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData("{whoAmi{id}}")]
    [InlineData("{whoAmI{idd}}")]
    [InlineData("{models(frst:1){nextToken}}")]
    [InlineData("query($a:Modle){whoAmI{id}}")]
    [InlineData("{lineage(start:{urn:\"x\"},direction:UPP){truncated}}")]
    [InlineData("{lineage(start:{urm:\"x\"}){truncated}}")]
    [InlineData("{...on Quary{checkpoint}}")]
    [InlineData("{...f}fragment ff on Query{checkpoint}")]
    [InlineData("{checkpoint @skp(if:true)}")]
    public async Task A_misspelt_name_gets_no_suggestion(string document)
    {
        await using var host = await TestHost.StartAsync();

        var answer = await host.AskAsync(document);

        Assert.Equal(400, answer.Status);
        Assert.DoesNotContain("Did you mean", answer.Text);
    }

    [Fact]
    public async Task A_fault_says_nothing_about_itself()
    {
        var world = new World { ThrowOnModels = new InvalidOperationException("password=hunter2") };
        await using var host = await TestHost.StartAsync(world);

        var answer = await host.AskAsync("{models{nextToken}}");

        Assert.Equal(["INTERNAL"], answer.Codes);
        Assert.DoesNotContain("hunter2", answer.Text);
        Assert.DoesNotContain("InvalidOperation", answer.Text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("INVALID_OPERATION", answer.Text);
        Assert.False(answer.Json.ContainsKey("extensions"));
    }

    [Fact]
    public async Task A_slow_resolver_is_cancelled_and_the_request_ends()
    {
        var world = new World { Delay = TimeSpan.FromSeconds(60) };
        await using var host = await TestHost.StartAsync(world);
        var clock = Stopwatch.StartNew();

        var answer = await host.AskAsync("{models{nextToken}}");

        Assert.Equal(["TIMEOUT"], answer.Codes);
        Assert.True(world.SawCancellation);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_syntax_error_is_an_answer_with_a_code()
    {
        await using var host = await TestHost.StartAsync();

        Assert.Equal(["SYNTAX_ERROR"], (await host.AskAsync("{")).Codes);
    }
}
