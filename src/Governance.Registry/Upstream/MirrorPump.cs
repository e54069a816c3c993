using Governance.Platform.Database;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Governance.Registry.Upstream;

/// <summary>
/// Makes upstream what no caller waits for any more: at start what a crash left, then what upstream did not take in time and what
/// moves of other interfaces left.
/// </summary>
internal sealed partial class MirrorPump(
    Mirror mirror,
    IDbContextFactory<GovernanceDb> databases,
    IOptions<RegistryOptions> options,
    TimeProvider clock,
    ILogger<MirrorPump> logger
) : BackgroundService
{
    private const int LanesAtOnce = 256;
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestDrain = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!mirror.IsOn)
        {
            return;
        }

        await Task.WhenAll(
            LoopAsync((_, token) => WakesAsync(token), stoppingToken),
            LoopAsync(DueAsync, stoppingToken),
            LoopAsync(IntentsAsync, stoppingToken)
        );
    }

    private async Task LoopAsync(Func<int, CancellationToken, Task> work, CancellationToken cancellationToken)
    {
        for (var round = 0; !cancellationToken.IsCancellationRequested; round++)
        {
            try
            {
                await work(round, cancellationToken);
                await Task.Delay(Look, clock, cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                Failed(logger, exception.GetType().Name, exception.StackTrace ?? "");
                await Task.Delay(Look, clock, cancellationToken);
            }
        }
    }

    private async Task WakesAsync(CancellationToken cancellationToken)
    {
        await foreach (var lane in mirror.Wakes.ReadAllAsync(cancellationToken))
        {
            await DrainAsync(lane, cancellationToken);
        }
    }

    // What a caller is making now is left to it for a moment; at start nobody is.
    private async Task DueAsync(int round, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var before = round == 0 ? now : now - (options.Value.Upstream.AnswerSeconds * 100L) - 1000;
        List<string> lanes;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            lanes = await db.Set<UpstreamWorkRow>()
                .Where(row => row.DueMs <= now && row.CreatedMs <= before)
                .GroupBy(row => row.Lane)
                .Select(rows => new { Lane = rows.Key, Due = rows.Min(row => row.DueMs) })
                .OrderBy(lane => lane.Due)
                .Select(lane => lane.Lane)
                .Take(LanesAtOnce)
                .ToListAsync(cancellationToken);
        }

        await Parallel.ForEachAsync(
            lanes,
            new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = cancellationToken },
            async (lane, token) => await DrainAsync(lane, token)
        );
    }

    private async Task IntentsAsync(int round, CancellationToken cancellationToken)
    {
        var idle = TimeSpan.FromSeconds(options.Value.Upstream.AnswerSeconds * 3);
        bool shared;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            shared = db.IsShared();
        }

        var now = clock.GetUtcNow();
        await mirror.ReconcileAsync(round == 0 && !shared ? now : now - idle, cancellationToken);
    }

    private async Task DrainAsync(string lane, CancellationToken cancellationToken)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(LongestDrain);
        await mirror.DrainAsync(lane, limited.Token);
    }

    [LoggerMessage(4020, LogLevel.Error, "Following up changes upstream failed: {ExceptionType} {StackTrace}")]
    private static partial void Failed(ILogger logger, string exceptionType, string stackTrace);
}
