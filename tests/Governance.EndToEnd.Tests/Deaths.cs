using System.Collections.Concurrent;
using Governance.Tests.Platform;

namespace Governance.EndToEnd.Tests;

/// <summary>
/// The gateway dies by SIGKILL and is started again on the same data. Each seed is one installation that dies in every phase:
/// the moment is some time after the phase was seen to begin, drawn from the seed and from how long the phase took before. A
/// kill counts for a phase only when the phase was under way: its request was never answered, its job was still marked as
/// running, its file was half written, its entries were not sequenced; before a server of somebody else also only when
/// something had still to be made there.
/// </summary>
internal sealed class Deaths(ITestOutputHelper output, int seeds, IReadOnlyCollection<Phase> phases)
{
    private const int MostTries = 25;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(30); // a minute or two on a quiet machine
    private readonly ConcurrentDictionary<string, int> _spread = new();

    public static bool Long { get; } = Environment.GetEnvironmentVariable("GOVERNANCE_LONG_TESTS") == "1";

    public bool OnPostgreSql { get; init; }

    public bool BeforeUpstream { get; init; }

    public async Task RunAsync()
    {
        Assert.True(!OnPostgreSql || TestServer.IsPostgreSql, "Set GOVERNANCE_TEST_POSTGRES; test.sh does.");
        await Parallel.ForEachAsync(
            Enumerable.Range(1, seeds),
            new ParallelOptions
            {
                MaxDegreeOfParallelism = 3,
                CancellationToken = TestContext.Current.CancellationToken,
            },
            async (seed, token) => await DieInEveryPhaseAsync(seed, token)
        );
        var spread = string.Join(", ", _spread.OrderBy(item => item.Key).Select(item => $"{item.Key} {item.Value}"));
        output.WriteLine($"kills that met each phase: {spread}");
        Assert.All(phases, phase => Assert.True(_spread.GetValueOrDefault($"{phase}") >= seeds, $"{phase}: {spread}"));
    }

    private async Task DieInEveryPhaseAsync(int seed, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        using var upstream = BeforeUpstream ? new UpstreamProcess() : null;
        await (upstream?.StartAsync(limit.Token) ?? Task.CompletedTask);
        await using var gateway = new GatewayProcess(upstream?.Settings, OnPostgreSql);
        var installation = new Installation(gateway, upstream, new Random(seed), output, limit.Token);
        await installation.SetUpAsync();
        var order = phases.ToArray();
        new Random(seed).Shuffle(order);
        foreach (var phase in order)
        {
            await MeetAsync($"{phase}", () => installation.DieAsync(seed, phase));
            if (BeforeUpstream)
            {
                await MeetAsync($"{phase} upstream", () => installation.UpstreamDiesAsync(seed, phase));
            }
        }

        output.WriteLine($"seed {seed}: {installation.Summary}");
        Assert.True(installation.Kills >= order.Length, $"seed {seed}: {installation.Kills} kills");

        async Task MeetAsync(string aim, Func<Task<IReadOnlySet<string>>> die)
        {
            var met = false;
            for (var i = 0; i < MostTries && !met; i++)
            {
                var those = await die();
                met = those.Contains(aim);
                foreach (var one in those)
                {
                    _spread.AddOrUpdate(one, 1, (_, count) => count + 1);
                }
            }

            Assert.True(met, $"seed {seed}: {MostTries} tries, and no kill met {aim}");
        }
    }
}
