using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Audit.Sequencing;
using Governance.Gateway.Tests.Live;
using Governance.Tests;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.Faults;

/// <summary>
/// A gateway works while every step that SQLite makes in its files is written down. Then the machine dies after many of these steps, in
/// three ways each, and what is left must hold everything that anybody had been told, no action without its entry, and one tree.
/// </summary>
public sealed class CrashStateTests(ITestOutputHelper output) : IDisposable
{
    private static readonly bool Long = Environment.GetEnvironmentVariable("GOVERNANCE_LONG_TESTS") == "1";
    private readonly string _root = Directory.CreateTempSubdirectory("governance-faults-").FullName;

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Whenever_the_machine_dies_nothing_told_is_lost_and_no_action_lacks_its_entry()
    {
        var first = Path.Combine(_root, "first");
        using var tape = RecordingVfs.Record(Path.Combine(first, "data"));
        var port = FreePort.Find();
        await using (var gateway = new LiveGateway { Root = first, Port = port })
        {
            await gateway.InitializeAsync();
            await WorkAsync(gateway, tape);
            await gateway.LoseAsync();
        }

        var steps = tape.Steps;
        var points = Long ? steps.Count : 700;
        var image = new DiskImage();
        var random = new Random(1);
        var (states, starts) = (0, 0);
        for (var done = 0; done < steps.Count; done++)
        {
            image.Apply(steps[done]);
            // Evenly over all steps, whatever they are.
            if ((long)done * points / steps.Count == (done + 1L) * points / steps.Count)
            {
                continue;
            }

            foreach (var files in new[] { image.Killed(), image.Lost(), image.Torn(random) })
            {
                Check(files, tape, done, states++);
            }

            if (starts < 4 && done >= (starts + 1) * steps.Count / 5)
            {
                starts++;
                await StartAsync(image.Torn(random), tape, done, port);
            }
        }

        output.WriteLine($"{states} states after {steps.Count} steps, {tape.Told.Count} things told, {starts} starts");
        Assert.True(states >= 2_000, $"{states} states of {steps.Count} steps");
        Assert.Equal(4, starts);
    }

    [Fact]
    public void An_image_forgets_what_was_not_synced_and_only_that()
    {
        var image = new DiskImage();
        image.Apply(new DiskStep(DiskStepKind.Write, "a", 0, [1, 2, 3]));
        image.Apply(new DiskStep(DiskStepKind.Sync, "a"));
        image.Apply(new DiskStep(DiskStepKind.Write, "a", 4, [9]));
        image.Apply(new DiskStep(DiskStepKind.Truncate, "a", 2));
        image.Apply(new DiskStep(DiskStepKind.Write, "b", 0, [7]));
        image.Apply(new DiskStep(DiskStepKind.Write, "c", 0, [7]));
        image.Apply(new DiskStep(DiskStepKind.Delete, "c"));

        Assert.Equal([1, 2], image.Killed()["a"]);
        Assert.Equal([1, 2, 3], image.Lost()["a"]);
        Assert.Equal([7], image.Killed()["b"]);
        Assert.Empty(image.Lost()["b"]);
        Assert.False(image.Killed().ContainsKey("c"));
    }

    // What people do and are told: a version, a promotion, a key replaced, a person erased, checkpoints.
    private static async Task WorkAsync(LiveGateway gateway, DiskTape tape)
    {
        var story = new Story(gateway);
        foreach (
            var (model, keys) in ((string, string[])[])
                [("faults-1", ["signing", "timestamp"]), ("faults-2", ["ca-signers", "signature-log"])]
        )
        {
            await story.ModelAsync(model);
            tape.Tell($"{model} is registered", VersionOf(model, """v."Status" = 'Ready'"""));
            await story.PromoteAsync(model);
            tape.Tell($"{model} is in Production", VersionOf(model, """v."Stage" = 'Production'"""));
            await CheckpointAsync(gateway, tape);
            foreach (var name in keys)
            {
                var rotated = await gateway.As("admin").ApiPostAsync($"/api/v1/keys/{name}/rotate", []);
                Assert.True(rotated.Ok, rotated.Body.ToJsonString());
                var number = rotated.Body["number"]!.GetValue<int>();
                tape.Tell(
                    $"key {name} {number}",
                    $"""SELECT 1 FROM platform_key WHERE "Name" = '{name}' AND "Number" = {number}"""
                );
            }

            var erased = await gateway.EraseAsync($"erika.{model}");
            tape.Tell(
                $"{erased} is erased",
                $"""SELECT 1 FROM identity_erasures WHERE "SubjectId" = '{erased}' AND "ProofId" IS NOT NULL"""
            );
            await CheckpointAsync(gateway, tape);
        }
    }

    private static string VersionOf(string model, string holds) =>
        $"""
            SELECT 1 FROM registry_versions v JOIN registry_model_names n ON n."ModelId" = v."ModelId"
            WHERE n."Name" = '{model}' AND {holds}
            """;

    private static async Task CheckpointAsync(LiveGateway gateway, DiskTape tape)
    {
        using var client = gateway.Anonymous();
        var note = (await client.GetStringAsync(new Uri("/log/checkpoint", UriKind.Relative), Now)).Split('\n');
        var root = Convert.ToHexString(Convert.FromBase64String(note[2]));
        tape.Tell(
            $"the checkpoint of {note[1]} leaves",
            $"""SELECT 1 FROM audit_checkpoint WHERE "Size" = {long.Parse(note[1], CultureInfo.InvariantCulture)} AND hex("Root") = '{root}'"""
        );
    }

    private void Check(Dictionary<string, byte[]> files, DiskTape tape, int done, int number)
    {
        using var state = new CrashState(Path.Combine(_root, $"state-{number}"), files);
        var broken = state.Broken(tape.Told.Where(one => one.After <= done + 1).Select(one => (one.Name, one.Sql)));
        Assert.True(broken.Count == 0, $"after step {done}, way {number % 3}: {string.Join("; ", broken)}");
    }

    // The product's own start on what is left, with its own check of the log; then what it says, once more.
    private async Task StartAsync(Dictionary<string, byte[]> files, DiskTape tape, int done, int port)
    {
        var root = Path.Combine(_root, $"start-{done}");
        DiskImage.CopyFiles(
            Path.Combine(_root, "first"),
            root,
            name => !name.StartsWith("governance.db", StringComparison.Ordinal)
        );
        foreach (var (name, content) in files)
        {
            await File.WriteAllBytesAsync(Path.Combine(root, "data", name), content, Now);
        }

        await using (
            var gateway = new LiveGateway
            {
                Root = root,
                Port = port,
                Accounts = false,
            }
        )
        {
            await gateway.InitializeAsync();
            using var client = gateway.Anonymous();
            using var health = await client.GetAsync(new Uri("/health", UriKind.Relative), Now);
            Assert.True(health.IsSuccessStatusCode, $"after step {done}: {health.StatusCode}");
            var holds = await gateway.Services.GetRequiredService<CheckLog>().RunAsync(Now);
            Assert.True(holds.Ok, $"after step {done}: {holds.Failure?.Message}");
            await gateway.LoseAsync();
        }

        var left = Directory
            .EnumerateFiles(Path.Combine(root, "data"), "governance.db*")
            .ToDictionary(path => Path.GetFileName(path), File.ReadAllBytes, StringComparer.Ordinal);
        Check(left, tape, done, done);
    }
}
