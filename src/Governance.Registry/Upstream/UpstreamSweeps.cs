using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Governance.Registry.Upstream;

/// <summary>
/// Looks upstream again and again: what is new is taken over, what differs is found. Among several gateways on one database each
/// looks when no other did within the time between two looks.
/// </summary>
internal sealed partial class UpstreamSweeps(
    Mirror mirror,
    TrackingAdoption tracking,
    DriftDetector detector,
    FileCheck files,
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    IOptions<RegistryOptions> options,
    TimeProvider clock,
    ILogger<UpstreamSweeps> logger
) : BackgroundService
{
    private const string Hashed = "hashed";
    private static readonly TimeSpan AfterFailure = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!mirror.IsOn)
        {
            return;
        }

        var settings = options.Value.Upstream;
        // Versions come from runs: what is there at first is taken over in this order.
        await UntilAsync(tracking.SweepAsync, stoppingToken);
        await UntilAsync(FirstAsync, stoppingToken);
        await Task.WhenAll(
            EveryAsync(
                TimeSpan.FromMilliseconds(settings.DriftMilliseconds),
                token => detector.SweepAsync(first: false, token),
                stoppingToken
            ),
            EveryAsync(TimeSpan.FromSeconds(settings.SweepSeconds), tracking.SweepAsync, stoppingToken),
            EveryAsync(
                TimeSpan.FromSeconds(settings.SweepSeconds),
                token => files.SweepAsync(bytes: false, token),
                stoppingToken
            ),
            EveryAsync(TimeSpan.FromMinutes(1), HashAsync, stoppingToken)
        );
    }

    private async Task<Failure?> FirstAsync(CancellationToken cancellationToken)
    {
        if (!await detector.IsFirstAsync(cancellationToken))
        {
            return null;
        }

        // One model that upstream itself cannot read must not keep the looks from beginning.
        var unread = new List<string>();
        if (await detector.SweepAsync(first: true, cancellationToken, unread) is { } failure && unread.Count == 0)
        {
            return failure;
        }

        await detector.FirstIsDoneAsync(unread, cancellationToken);
        return null;
    }

    // The time of the last reading is kept, so that starts and stops neither skip nor repeat it.
    private async Task<Failure?> HashAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var due = now.AddHours(-options.Value.Upstream.HashHours).ToUnixTimeMilliseconds();
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            if (
                await db.Set<UpstreamProgressRow>()
                    .AnyAsync(row => row.Name == Hashed && row.UpdatedMs > due, cancellationToken)
            )
            {
                return null;
            }
        }

        if (await files.SweepAsync(bytes: true, cancellationToken) is { } failure)
        {
            return failure;
        }

        await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var row = await session.Db.Set<UpstreamProgressRow>().FindAsync([Hashed], token);
                if (row is null)
                {
                    row = new UpstreamProgressRow { Name = Hashed };
                    session.Db.Add(row);
                }

                row.UpdatedMs = now.ToUnixTimeMilliseconds();
                return default(Unit);
            },
            cancellationToken
        );
        return null;
    }

    private async Task UntilAsync(Func<CancellationToken, Task<Failure?>> work, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested && !await TryAsync(work, cancellationToken))
        {
            await WaitAsync(AfterFailure, cancellationToken);
        }
    }

    private async Task EveryAsync(
        TimeSpan pause,
        Func<CancellationToken, Task<Failure?>> work,
        CancellationToken cancellationToken
    )
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await TryAsync(work, cancellationToken);
            await WaitAsync(pause, cancellationToken);
        }
    }

    private async Task<bool> TryAsync(Func<CancellationToken, Task<Failure?>> work, CancellationToken cancellationToken)
    {
        try
        {
            var failure = await work(cancellationToken);
            if (failure is not null)
            {
                Unanswered(logger, failure.Code);
            }

            return failure is null;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception exception)
        {
            Failed(logger, exception.GetType().Name, exception.StackTrace ?? "");
            return false;
        }
    }

    private async Task WaitAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(pause, clock, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The loop sees it.
        }
    }

    [LoggerMessage(4021, LogLevel.Error, "Looking upstream failed: {ExceptionType} {StackTrace}")]
    private static partial void Failed(ILogger logger, string exceptionType, string stackTrace);

    [LoggerMessage(4022, LogLevel.Warning, "Upstream could not be read: {Code}")]
    private static partial void Unanswered(ILogger logger, string code);
}
