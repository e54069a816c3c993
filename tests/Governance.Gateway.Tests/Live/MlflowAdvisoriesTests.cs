using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;

namespace Governance.Gateway.Tests.Live;

/// <summary>The negative kit, <c>tests/negative-kit</c>: MLflow's advisories as attacks, on the live gateway and on a server without any control.</summary>
[Collection(GatewayTests.Name)]
public sealed class MlflowAdvisoriesTests(LiveGateway gateway)
{
    private static string Kit => Path.Combine(Hosting.Paths.Base, "tests", "negative-kit");

    [Fact]
    public async Task The_gateway_holds_against_every_vector()
    {
        var tokens = new JsonObject
        {
            ["owner"] = await TokenAsync("kit-owner", Scientist("kit-a-*")),
            ["other"] = await TokenAsync("kit-other", Scientist("kit-b-*")),
            ["admin"] = gateway.TokenOf("admin"),
        };

        var (ran, report) = await AttackAsync(tokens, "--url", gateway.Url, "--ca", gateway.AuthorityPath);

        Assert.True(ran.ExitCode == 0, $"{report["failures"]?.ToJsonString()} {ran.Errors}");
        Assert.Equal(0, Number(report, "failed"));
        Assert.True(Number(report, "held") > 9_000, $"{report["held"]}");
        Assert.True(Number(report, "pathEncodings") >= 1100, $"{report["pathEncodings"]}");
        Assert.Empty(report["withoutToken"]!.AsArray());
    }

    [Fact]
    public async Task A_server_without_any_control_fails_nine_of_ten_vectors_of_every_class()
    {
        using var weak = Process.Start(
            new ProcessStartInfo("python3", [Path.Combine(Kit, "weak_server.py")])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                WorkingDirectory = Path.GetTempPath(),
            }
        )!;
        try
        {
            var port = await weak.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
            var tokens = new JsonObject
            {
                ["owner"] = "owner",
                ["other"] = "other",
                ["admin"] = "admin",
            };

            var (ran, report) = await AttackAsync(tokens, "--url", $"http://127.0.0.1:{port}");

            Assert.True(ran.ExitCode == 1, ran.Errors);
            var (held, failed) = (Number(report, "held"), Number(report, "failed"));
            Assert.True(failed >= 0.9 * (held + failed), $"{report["classes"]}");
            foreach (var (name, counts) in report["classes"]!.AsObject().Where(one => one.Key != "aftermath"))
            {
                var (good, bad) = (Number(counts!, "held"), Number(counts!, "failed"));
                Assert.True(bad >= 0.9 * (good + bad), $"{name}: {good} held, {bad} failed");
            }
        }
        finally
        {
            weak.Kill();
        }
    }

    [Fact]
    public void Every_advisory_has_a_vector_or_a_reason_and_every_vector_names_advisories()
    {
        var known = File.ReadAllLines(
                Path.Combine(Hosting.Paths.Base, "tests", "Governance.Gateway.Tests", "Data", "mlflow-advisories.txt")
            )
            .Where(line => line.Length > 0 && line[0] != '#');
        var map = JsonNode.Parse(File.ReadAllText(Path.Combine(Kit, "advisories.json")))!.AsObject();
        var vectors = Directory
            .EnumerateFiles(Path.Combine(Kit, "vectors"))
            .SelectMany(file => JsonNode.Parse(File.ReadAllText(file))!["vectors"]!.AsArray())
            .ToDictionary(
                vector => vector!["id"]!.ToString(),
                vector => vector!["advisories"]!.AsArray().Select(id => id!.ToString()).ToList()
            );

        Assert.Equal(known.Order(StringComparer.Ordinal), map.Select(one => one.Key).Order(StringComparer.Ordinal));
        Assert.All(vectors, vector => Assert.NotEmpty(vector.Value));
        foreach (var (advisory, entry) in map)
        {
            var named = vectors.Where(vector => vector.Value.Contains(advisory)).Select(vector => vector.Key);
            if (entry!["vectors"] is JsonArray listed)
            {
                Assert.NotEmpty(listed);
                Assert.Equal(
                    named.Order(StringComparer.Ordinal),
                    listed.Select(id => id!.ToString()).Order(StringComparer.Ordinal)
                );
            }
            else
            {
                Assert.True(entry["not applicable because"]!.ToString().Length > 30, advisory);
                Assert.Equal([], named);
            }
        }
    }

    [Theory]
    [InlineData("https://192.0.2.1:8443")]
    [InlineData("http://203.0.113.7")]
    [InlineData("ftp://127.0.0.1")]
    public async Task Only_a_server_on_this_machine_is_attacked_unless_its_owner_says_so(string url)
    {
        var ran = await RunAsync("{\"owner\":\"x\"}", "--url", url);

        Assert.Equal(2, ran.ExitCode);
        Assert.Equal("", ran.Output);
    }

    private static RoleGrant[] Scientist(string pattern) =>
        [new("data-scientist", ObjectKind.Model, pattern), new("data-scientist", ObjectKind.Experiment, pattern)];

    private async Task<string> TokenAsync(string name, RoleGrant[] grants)
    {
        using var http = await gateway.ServiceAsync(name, grants);
        return http.DefaultRequestHeaders.Authorization!.Parameter!;
    }

    private static async Task<(ChildProcess Ran, JsonNode Report)> AttackAsync(JsonObject tokens, params string[] args)
    {
        var ran = await RunAsync(tokens.ToJsonString(), [.. args, "--json"]);
        Assert.True(ran.ExitCode is 0 or 1, ran.Errors);
        return (ran, JsonNode.Parse(ran.Output)!);
    }

    private static Task<ChildProcess> RunAsync(string tokens, params string[] args) =>
        ChildProcess.RunAsync(
            "python3",
            [Path.Combine(Kit, "run.py"), "--tokens-stdin", .. args],
            TimeSpan.FromMinutes(8),
            tokens
        );

    private static int Number(JsonNode node, string name) =>
        int.Parse(node[name]!.ToString(), CultureInfo.InvariantCulture);
}
