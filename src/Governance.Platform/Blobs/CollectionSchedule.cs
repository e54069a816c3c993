using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.Extensions.Hosting;

namespace Governance.Platform.Blobs;

/// <summary>Asks for a collection every hour, and once a day for one that also looks for bytes that no row knows.</summary>
internal sealed class CollectionSchedule(IWriter writer, BlobOptions options, TimeProvider clock) : BackgroundService
{
    private const int HoursPerDay = 24;
    private static readonly TimeSpan First = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.Collect)
        {
            return;
        }

        try
        {
            await Task.Delay(First, clock, stoppingToken);
            for (var hour = 0; ; hour++)
            {
                var job = BlobCollector.Job(files: hour % HoursPerDay == 0);
                await writer.WriteAsync<Unit>(
                    async (session, token) =>
                    {
                        await session.EnqueueAsync(job, token);
                        return default(Unit);
                    },
                    stoppingToken
                );
                await Task.Delay(TimeSpan.FromHours(1), clock, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            return;
        }
    }
}
