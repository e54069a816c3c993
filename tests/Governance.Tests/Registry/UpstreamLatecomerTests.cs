namespace Governance.Tests.Registry;

public sealed class UpstreamLatecomerTests
{
    [Fact]
    public async Task What_is_made_behind_the_gateway_is_there_for_who_names_it_and_may_read_it()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.SweepAsync(first: true);
        await pair
            .Gateway.Database.Get<Governance.Registry.Upstream.DriftDetector>()
            .FirstIsDoneAsync([], TestContext.Current.CancellationToken);
        var (named, run) = await pair.Upstream.RunAsync("by run");
        var byId = (string)
            (await pair.Upstream.OkAsync("POST", "experiments/create", new { name = "by id" }))["experiment_id"]!;
        await pair.Upstream.OkAsync("POST", "experiments/create", new { name = "by name" });
        var logged = (string)
            (await pair.Upstream.OkAsync("POST", "logged-models", new { experiment_id = named, name = "logged" }))[
                "model"
            ]!["info"]!["model_id"]!;
        await pair.Upstream.VersionAsync("m");
        pair.Arrived.Clear();

        // Who might not read what is found has upstream not asked: the time of the answer would tell.
        foreach (
            var path in new[]
            {
                $"runs/get?run_id={run}",
                $"experiments/get?experiment_id={byId}",
                "experiments/get-by-name?experiment_name=by%20name",
                $"logged-models/{logged}",
                "registered-models/get?name=m",
                "model-versions/get?name=m&version=1",
            }
        )
        {
            Assert.Equal(404, (await pair.Gateway.SendAsync("GET", path, actor: "private-1")).Status);
            Assert.Empty(pair.Arrived);
        }

        await pair.SameAsync("GET", $"runs/get?run_id={run}");
        await pair.SameAsync("GET", $"experiments/get?experiment_id={byId}");
        await pair.SameAsync("GET", "experiments/get-by-name?experiment_name=by%20name");
        await pair.SameAsync("GET", $"logged-models/{logged}");
        await pair.Gateway.OkAsync("GET", "model-versions/get?name=m&version=1");
        string[] made = ["m/0 model_made", "m/1 version_made"];
        Assert.Equal(made, (await pair.OpenAsync()).Order());
        Assert.Equal(made, (await pair.SweepAsync()).Order());
    }

    [Fact]
    public async Task Upstream_is_asked_once_for_what_is_nowhere_and_not_at_will()
    {
        await using var pair = await UpstreamPair.StartAsync();
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(404, (await pair.Gateway.SendAsync("GET", "registered-models/get?name=nowhere")).Status);
        }

        Assert.Single(pair.Arrived);
        for (var i = 0; i < 60; i++)
        {
            Assert.Equal(404, (await pair.Gateway.SendAsync("GET", $"registered-models/get?name=no{i}")).Status);
        }

        Assert.InRange(pair.Arrived.Count, 2, 45);
        // Another caller has not used up what is theirs.
        var before = pair.Arrived.Count;
        await pair.Gateway.SendAsync("GET", "registered-models/get?name=other", actor: "ds2");
        Assert.Equal(before + 1, pair.Arrived.Count);
    }
}
