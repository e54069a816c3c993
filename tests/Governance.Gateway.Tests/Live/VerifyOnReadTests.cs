using System.Net;
using System.Text.Json.Nodes;
using Governance.Gateway.Demo;

namespace Governance.Gateway.Tests.Live;

/// <summary>What a reader of a version's files gets once its signature no longer counts, by policy, on a whole gateway.</summary>
public sealed class VerifyOnReadTests
{
    private const string Policy = """
        version: 1
        trusted_roots: {}
        signers: {}
        rules:
          - models: "strict-*"
            arriving: { mode: "off", signers: [] }
            read: { otherwise: enforce }
          - models: "warned-*"
            arriving: { mode: "off", signers: [] }
            read: { otherwise: warn }
          - models: "*"
            arriving: { mode: "off", signers: [] }
            read: { otherwise: "off" }
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Files_whose_signer_was_revoked_are_refused_told_of_or_served_as_the_policy_says()
    {
        await using var gateway = new LiveGateway { SignersPolicy = Policy };
        await gateway.InitializeAsync();
        var roots = new Dictionary<string, string>();
        foreach (var model in new[] { "strict-one", "warned-one", "other-one" })
        {
            var story = new Story(gateway);
            await story.ModelAsync(model);
            roots[model] = story.Storage;
        }

        var before = await ReadAllAsync(gateway, roots);
        await RevokeAsync(gateway);
        var after = await ReadUntilRefusedAsync(gateway, roots);
        var warned = await gateway.As("ada").ApiGetAsync("/api/v1/audit/entries?kind=evidence.unsigned_read&first=200");

        Assert.All(before.Values, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.Equal(HttpStatusCode.Conflict, after["strict-one"].Status);
        Assert.Contains("evidence.signature_required", after["strict-one"].Body, StringComparison.Ordinal);
        Assert.Equal(
            (before["warned-one"].Status, before["warned-one"].Body),
            (after["warned-one"].Status, after["warned-one"].Body)
        );
        Assert.Equal(
            (before["other-one"].Status, before["other-one"].Body),
            (after["other-one"].Status, after["other-one"].Body)
        );
        Assert.All(
            warned.Body["entries"]!.AsArray(),
            entry => Assert.Contains("version:warned-one/1", $"{entry!["entry"]}", StringComparison.Ordinal)
        );
        Assert.NotEmpty(warned.Body["entries"]!.AsArray());
    }

    private static async Task<Dictionary<string, (HttpStatusCode Status, string Body)>> ReadAllAsync(
        LiveGateway gateway,
        Dictionary<string, string> roots
    )
    {
        var answers = new Dictionary<string, (HttpStatusCode, string)>();
        foreach (var (model, root) in roots)
        {
            using var answer = await gateway
                .Http("dana")
                .GetAsync(new Uri($"/api/2.0/mlflow-artifacts/artifacts/{root}/MLmodel", UriKind.Relative), Token);
            answers[model] = (answer.StatusCode, await answer.Content.ReadAsStringAsync(Token));
        }

        return answers;
    }

    // What was found counts for some seconds.
    private static async Task<Dictionary<string, (HttpStatusCode Status, string Body)>> ReadUntilRefusedAsync(
        LiveGateway gateway,
        Dictionary<string, string> roots
    )
    {
        for (var tries = 0; ; tries++)
        {
            var answers = await ReadAllAsync(gateway, roots);
            if (answers["strict-one"].Status != HttpStatusCode.OK || tries > 100)
            {
                return answers;
            }

            await Task.Delay(200, Token);
        }
    }

    // Every signature for a registrant has the issuer's part in it.
    private static async Task RevokeAsync(LiveGateway gateway)
    {
        var keys = (await gateway.As("ada").ApiGetAsync("/api/v1/keys")).Body["items"]!.AsArray();
        var issuer = keys.Single(key => $"{key!["name"]}" == "ca-signers")!;
        var revoked = await gateway
            .As("admin")
            .ApiPostAsync(
                "/api/v1/keys/revoke",
                new JsonObject
                {
                    ["key"] = $"{issuer["id"]}",
                    ["from"] = "2026-01-01T00:00:00Z",
                    ["reason"] = "Stolen before the first signature.",
                }
            );
        Assert.True(revoked.Ok, revoked.Body.ToJsonString());
        Assert.True(revoked.Body["signatures"]!.GetValue<int>() >= 3, revoked.Body.ToJsonString());
    }
}
