using System.Net;
using System.Text.Json.Nodes;
using Governance.Audit.Sequencing;
using Governance.Gateway.Demo;
using Governance.Gateway.Tests.Live;
using Governance.Tests;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Faults;

/// <summary>The disk refuses to write or to sync while the gateway works: it is full, or broken, once or for a while.</summary>
public sealed class DiskErrorTests(ITestOutputHelper output) : IDisposable
{
    private const int Full = 13;
    private const int BrokenWrite = 778;
    private const int BrokenSync = 1034;
    private const string Model = "errors";
    private static readonly int[] Codes = [Full, BrokenWrite, BrokenSync];
    private static readonly int Faults =
        Environment.GetEnvironmentVariable("GOVERNANCE_LONG_TESTS") == "1" ? 3_000 : 300;
    private readonly string _root = Directory.CreateTempSubdirectory("governance-errors-").FullName;

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Whatever_the_disk_refuses_nothing_told_is_lost_and_what_failed_says_so()
    {
        var random = new Random(7);
        var (first, second) = (Path.Combine(_root, "first"), Path.Combine(_root, "second"));
        using var tape = RecordingVfs.Record(Path.Combine(first, "data"));
        tape.Keeps = false;
        var port = FreePort.Find();
        var (refused, done) = (0, 0);
        await using (
            var gateway = new LiveGateway
            {
                Root = first,
                Port = port,
                Settings = new Dictionary<string, string?> { ["Governance:Signing:RotationLeadSeconds"] = "0" },
            }
        )
        {
            await gateway.InitializeAsync();
            await new Story(gateway).ModelAsync(Model);
            var told = await StateAsync(gateway);
            for (var i = 0; i < Faults; i++)
            {
                var (what, value, act) = Choose(gateway, random, i, told);
                // A commit writes some dozen pages, the sequencer as many soon after.
                tape.Break(
                    (int)Math.Pow(2, random.NextDouble() * 8),
                    Codes[random.Next(Codes.Length)],
                    stays: random.Next(3) == 0
                );
                var answer = await act();
                tape.Mend();
                if (answer.Ok)
                {
                    told[what] = value;
                    done++;
                    continue;
                }

                // An error of the server, in the words of the product; whether it happened is for the next look to say.
                refused++;
                Assert.True(answer.Status >= HttpStatusCode.InternalServerError, answer.Body.ToJsonString());
                Assert.DoesNotContain("   at ", answer.Body.ToJsonString(), StringComparison.Ordinal);
                var found = (await StateAsync(gateway))[what];
                Assert.True(found == told[what] || found == value, $"{what}: {found}, neither nor {value}");
                told[what] = found;
            }

            await HoldsAsync(gateway, told);
        }

        DiskImage.CopyFiles(first, second, _ => true);

        await using (
            var gateway = new LiveGateway
            {
                Root = second,
                Port = port,
                Accounts = false,
            }
        )
        {
            await gateway.InitializeAsync();
            Assert.True((await gateway.Services.GetRequiredService<CheckLog>().RunAsync(Now)).Ok);
        }

        var files = Directory
            .EnumerateFiles(Path.Combine(second, "data"), "governance.db*")
            .ToDictionary(path => Path.GetFileName(path), File.ReadAllBytes, StringComparer.Ordinal);
        using var left = new CrashState(Path.Combine(_root, "left"), files);
        Assert.Empty(left.Broken([]));
        output.WriteLine(
            $"{Faults} faults, {tape.Refused} refusals of the disk: {done} told done, {refused} told failed"
        );
        Assert.True(refused >= Faults / 10, $"{refused} refused");
        Assert.True(done >= Faults / 10, $"{done} done");
    }

    // Tags, moves between stages that need no approval, a free alias, and now and then a key.
    private static (string What, string Value, Func<Task<Answer>> Act) Choose(
        LiveGateway gateway,
        Random random,
        int i,
        Dictionary<string, string> told
    )
    {
        var (dana, sam) = (gateway.As("dana"), gateway.As("sam"));
        switch (i % 20 == 19 ? 3 : random.Next(3))
        {
            case 0:
                return (
                    "tag",
                    $"{i}",
                    () =>
                        dana.PostAsync(
                            "model-versions/set-tag",
                            new JsonObject
                            {
                                ["name"] = Model,
                                ["version"] = "1",
                                ["key"] = "note",
                                ["value"] = $"{i}",
                            }
                        )
                );
            case 1:
                var stage = told["stage"] == "None" ? "Archived" : "None";
                return ("stage", stage, () => Story.ToStageAsync(sam, Model, stage));
            case 2:
                return ("alias", "1", () => Story.SetAliasAsync(dana, Model, "dev-error"));
            default:
                var number = int.Parse(told["key"], System.Globalization.CultureInfo.InvariantCulture);
                return (
                    "key",
                    $"{number + 1}",
                    () => gateway.As("admin").ApiPostAsync("/api/v1/keys/timestamp/rotate", [])
                );
        }
    }

    private static async Task<Dictionary<string, string>> StateAsync(LiveGateway gateway)
    {
        var version = (await gateway.As("ada").GetAsync($"model-versions/get?name={Model}&version=1")).Body[
            "model_version"
        ]!;
        var keys = (await gateway.As("admin").ApiGetAsync("/api/v1/keys")).Body["items"]!.AsArray();
        var number = keys.Where(key => $"{key!["name"]}" == "timestamp").Max(key => key!["number"]!.GetValue<int>());
        return new Dictionary<string, string>
        {
            ["stage"] = $"{version["current_stage"]}",
            ["alias"] = version["aliases"]?.AsArray().Any(alias => $"{alias}" == "dev-error") == true ? "1" : "",
            ["tag"] = $"{version["tags"]?.AsArray().FirstOrDefault(tag => $"{tag!["key"]}" == "note")?["value"]}",
            ["key"] = $"{number}",
        };
    }

    private static async Task HoldsAsync(LiveGateway gateway, Dictionary<string, string> told)
    {
        var found = await StateAsync(gateway);
        Assert.All(told, one => Assert.Equal((one.Key, one.Value), (one.Key, found[one.Key])));
        Assert.True((await gateway.Services.GetRequiredService<CheckLog>().RunAsync(Now)).Ok);
    }
}
