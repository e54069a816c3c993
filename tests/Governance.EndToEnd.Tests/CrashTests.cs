using System.Collections.Concurrent;

namespace Governance.EndToEnd.Tests;

/// <summary>
/// The gateway dies by SIGKILL and is started again on the same data. Each seed is one installation that dies in every phase:
/// the moment is some time after the phase was seen to begin, drawn from the seed and from how long the phase took before. A
/// kill counts for a phase only when the phase was under way: its request was never answered, its job was still marked as
/// running, its file was half written, its entries were not sequenced.
/// </summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    private const int MostTries = 25;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(30); // a minute or two on a quiet machine

    // 3 seeds × 17 phases = 51 kills that count; 30 × 17 = 510 in a long run.
    private static int Seeds => Environment.GetEnvironmentVariable("GOVERNANCE_LONG_TESTS") == "1" ? 30 : 3;

    [Fact]
    public async Task What_was_acknowledged_survives_kill_9_and_nothing_half_written_is_seen()
    {
        var spread = new ConcurrentDictionary<Phase, int>();
        await Parallel.ForEachAsync(
            Enumerable.Range(1, Seeds),
            new ParallelOptions
            {
                MaxDegreeOfParallelism = 3,
                CancellationToken = TestContext.Current.CancellationToken,
            },
            async (seed, token) => await DieInEveryPhaseAsync(seed, spread, token)
        );
        output.WriteLine(
            $"kills that met each phase: {string.Join(", ", spread.OrderBy(item => item.Key).Select(item => $"{item.Key} {item.Value}"))}"
        );
        Assert.All(Enum.GetValues<Phase>(), phase => Assert.True(spread.GetValueOrDefault(phase) >= Seeds, $"{phase}"));
    }

    private async Task DieInEveryPhaseAsync(
        int seed,
        ConcurrentDictionary<Phase, int> spread,
        CancellationToken cancellationToken
    )
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        using var gateway = new GatewayProcess();
        var installation = new Installation(gateway, new Random(seed), output, limit.Token);
        await installation.SetUpAsync();
        var order = Enum.GetValues<Phase>();
        new Random(seed).Shuffle(order);
        foreach (var phase in order)
        {
            var met = false;
            for (var i = 0; i < MostTries && !met; i++)
            {
                var phases = await installation.DieAsync(seed, phase);
                met = phases.Contains(phase);
                foreach (var one in phases)
                {
                    spread.AddOrUpdate(one, 1, (_, count) => count + 1);
                }
            }

            Assert.True(met, $"seed {seed}: {MostTries} tries, and no kill met {phase}");
        }

        output.WriteLine($"seed {seed}: {installation.Summary}");
        Assert.True(installation.Kills >= order.Length, $"seed {seed}: {installation.Kills} kills");
    }
}
