using System.Text.Json.Nodes;
using Governance.Gateway.Hosting;
using Governance.Tests.Registry;

namespace Governance.Gateway.Tests.Live;

/// <summary>Recorded traffic of stock clients against the whole gateway: TLS, tokens, gate, evidence jobs.</summary>
public sealed class ReplayTests
{
    /// <summary>A policy that protects nothing from the one who owns it: what a plain MLflow server would allow.</summary>
    private const string Unprotected = """
        version: 1
        approvals: { lifetime_hours: 1 }
        free_aliases: ["*"]
        rules:
          "stage:Staging": { require: {}, carry_out: [data-scientist], approvals: [] }
          "stage:Production": { require: {}, carry_out: [data-scientist], approvals: [] }
          "stage:Archived": { require: {}, carry_out: [data-scientist], approvals: [] }
          "stage:None": { require: {}, carry_out: [data-scientist], approvals: [] }
          "delete-version": { require: {}, carry_out: [data-scientist], approvals: [] }
          "delete-model": { require: {}, carry_out: [data-scientist], approvals: [] }
          "rename:*": { require: {}, carry_out: [data-scientist], approvals: [] }

        """;

    [Theory]
    [InlineData("client-2.22.1.jsonl")]
    [InlineData("client-3.5.2.jsonl")]
    public async Task Without_protection_a_stock_client_gets_the_same_statuses_keys_and_types(string recording)
    {
        await using var gateway = new LiveGateway { PromotionPolicy = Unprotected };
        await gateway.InitializeAsync();

        var differences = await MlflowReplay.RunAsync(
            gateway.Http("dana"),
            MlflowReplay.Recording(recording),
            TestContext.Current.CancellationToken,
            settled: version => SettledAsync(gateway, version),
            upload: ModelFile
        );

        Assert.True(differences.Count == 0, string.Join('\n', differences.Take(40)));
    }

    [Theory]
    [InlineData("client-2.22.1.jsonl")]
    [InlineData("client-3.5.2.jsonl")]
    public async Task Under_the_shipped_policy_exactly_the_protected_moves_are_refused(string recording)
    {
        await using var gateway = new LiveGateway();
        await gateway.InitializeAsync();
        var refused = new List<string>();

        var differences = await MlflowReplay.RunAsync(
            gateway.Http("dana"),
            MlflowReplay.Recording(recording),
            TestContext.Current.CancellationToken,
            (method, url, body) => Expected(method, url, body, refused),
            version => SettledAsync(gateway, version),
            ModelFile
        );

        // A stage or alias that was refused is not there to be read: that much differs, and nothing else.
        var others = differences.Where(difference => !FollowsFromRefusal(difference)).ToList();
        Assert.True(others.Count == 0, string.Join('\n', others.Take(40)));
        Assert.Equal(
            ["champion to 1", "champion to 3", "stage Production of 1", "stage production of 2", "tmp to 3"],
            refused.Order(StringComparer.Ordinal)
        );
    }

    // What a data scientist may not do under the shipped policy, and what follows from it.
    private static int? Expected(string method, string url, JsonNode? body, List<string> refused)
    {
        if (
            url.EndsWith("/model-versions/transition-stage", StringComparison.Ordinal)
            && body?["stage"]?.ToString() is "Production" or "production"
        )
        {
            refused.Add($"stage {body!["stage"]} of {body["version"]}");
            return 403;
        }

        var alias = body?["alias"]?.ToString();
        if (
            method == "POST"
            && url.EndsWith("/registered-models/alias", StringComparison.Ordinal)
            && alias is "champion" or "tmp"
        )
        {
            refused.Add($"{alias} to {body!["version"]}");
            return 403;
        }

        // The alias was never set, so asking for it is answered as for any missing alias.
        return method == "GET" && url.EndsWith("alias=champion", StringComparison.Ordinal) ? 400 : null;
    }

    // Latest versions are one per stage and searches list what moved last first, so both follow the stages.
    private static bool FollowsFromRefusal(string difference) =>
        difference.Contains(" .latest_versions: 1 items instead of ", StringComparison.Ordinal)
        || difference.EndsWith("/get-latest-versions .model_versions: 1 items instead of 3", StringComparison.Ordinal)
        || difference.EndsWith("/get-latest-versions: member 'model_versions' is missing", StringComparison.Ordinal)
        || (
            difference.Contains(" reg.search_versions ", StringComparison.Ordinal)
            && difference.Contains(" .model_versions .tags: ", StringComparison.Ordinal)
        )
        || (
            difference.Contains(" reg.alias_set_get_move_load_delete ", StringComparison.Ordinal)
            && difference.EndsWith(": member 'aliases' is missing", StringComparison.Ordinal)
        );

    // A real model, so that its evidence is what a real client's model would get.
    private static byte[]? ModelFile(string name)
    {
        var path = Path.Combine(
            Paths.Base,
            "demo",
            "models",
            "income-logreg",
            name == "python_model.pkl" ? "model.pkl" : name
        );
        return File.Exists(path) ? File.ReadAllBytes(path) : null;
    }

    private static async Task SettledAsync(LiveGateway gateway, JsonNode created)
    {
        var (name, version) = (
            created["model_version"]!["name"]!.ToString(),
            created["model_version"]!["version"]!.ToString()
        );
        var client = gateway.As("dana");
        for (var i = 0; i < 400; i++)
        {
            var answer = await client.GetAsync(
                $"model-versions/get?name={Uri.EscapeDataString(name)}&version={version}"
            );
            if (answer.Text("model_version", "status") != "PENDING_REGISTRATION")
            {
                return;
            }

            await Task.Delay(100);
        }

        Assert.Fail($"{name}/{version} did not settle.");
    }
}
