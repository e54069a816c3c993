namespace Governance.Gateway.Tests.GraphQl;

public sealed class BatchTests
{
    [Fact]
    public async Task A_query_over_fifty_models_asks_each_reader_a_bounded_number_of_times()
    {
        var world = new World();
        foreach (var i in Enumerable.Range(0, 50))
        {
            world.Add($"m{i:00}", 3);
        }

        await using var host = await TestHost.StartAsync(world);

        var answer = await host.AskAsync(
            "{models(first:50){items{name versions(first:3){version evidence{digest} run{name} datasets{dataset{name derivations{id}}}}}}}"
        );

        Assert.Empty(answer.Errors);
        Assert.Equal(50, answer.Data["models"]!["items"]!.AsArray().Count);
        Assert.Contains("data-m49", answer.Text);
        Assert.Equal(
            "datasets 2, derivations 1, evidence 1, models 1, runs 1, versions of models 1",
            string.Join(", ", world.Calls.OrderBy(call => call.Key).Select(call => $"{call.Key} {call.Value}"))
        );
    }

    [Fact]
    public async Task Versions_trained_on_a_dataset_come_in_one_batch()
    {
        var world = new World();
        world.Add("a", 2, dataset: "shared");
        world.Add("b", 2, dataset: "shared");
        await using var host = await TestHost.StartAsync(world);

        var answer = await host.AskAsync("{datasets{items{versionsTrainedOn{model version}}}}");

        Assert.Equal(4, answer.Data["datasets"]!["items"]![0]!["versionsTrainedOn"]!.AsArray().Count);
        Assert.Equal(1, world.Calls["versions"]);
    }
}
