using System.Diagnostics;
using System.Globalization;
using Governance.Audit;
using Governance.Audit.Contracts;
using Governance.Kernel;
using Governance.Lineage;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Governance.Benchmarks;

/// <summary>
/// How many entries a second the log takes durably, each in a unit of its own as a refusal is, from many callers at a time, with
/// the sequencer at work. Beside it what the same disk does: an append of as many bytes as a batch has, and fsync.
/// </summary>
internal static class Appends
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(15);

    /// <summary>Arguments: how many callers; then, for PostgreSQL, the connection string of an empty database.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var callers = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 256;
        var directory = Directory.CreateTempSubdirectory("governance-appends-").FullName;
        try
        {
            await using var services = Compose(directory, args.ElementAtOrDefault(1));
            await CreateTablesAsync(services);
            var hosted = services.GetServices<IHostedService>().ToList();
            foreach (var service in hosted)
            {
                await service.StartAsync(CancellationToken.None);
            }

            Fsync(directory);
            await AppendAsync(services, callers, WarmUp);
            using var process = Process.GetCurrentProcess();
            var before = process.TotalProcessorTime;
            var times = await AppendAsync(services, callers, Measured);
            process.Refresh();
            var cpu = (process.TotalProcessorTime - before).TotalMilliseconds * 1000 / times.Count;
            times.Sort();
            Say($"{callers} callers: {times.Count / Measured.TotalSeconds:F0} durable entries/s, p50 {At(0.5):F1} ms");
            Say($"p99 {At(0.99):F1} ms, {cpu:F1} µs CPU an entry, its place in the tree included");
            var clock = Stopwatch.StartNew();
            await SequencedAsync(services);
            Say($"all under a signed checkpoint {clock.Elapsed.TotalSeconds:F1} s after the last");
            foreach (var service in Enumerable.Reverse(hosted))
            {
                await service.StopAsync(CancellationToken.None);
            }

            return 0;

            double At(double share) => times[(int)(share * (times.Count - 1))];
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static ServiceProvider Compose(string directory, string? postgres)
    {
        var services = new ServiceCollection();
        services.AddSingleton(
            new PlatformOptions
            {
                DataDirectory = directory,
                PoliciesDirectory = directory,
                KeyFile = Path.Combine(directory, "kek"),
            }
        );
        services.AddSingleton(
            postgres is null
                ? new DatabaseOptions()
                : new DatabaseOptions { Provider = DatabaseOptions.PostgreSql, ConnectionString = postgres }
        );
        services.AddSingleton(TimeProvider.System);
        services.AddLogging();
        services.AddPlatform();
        services.AddLineage();
        services.AddAudit();
        return services.BuildServiceProvider();
    }

    private static async Task CreateTablesAsync(ServiceProvider services)
    {
        await using var db = await services
            .GetRequiredService<IDbContextFactory<GovernanceDb>>()
            .CreateDbContextAsync();
        await db.Database.EnsureCreatedAsync();
        var triggers = db.IsPostgreSql ? AuditSchema.PostgresTriggerSql : AuditSchema.TriggerSql;
        await db.Database.ExecuteSqlRawAsync(triggers);
        await services.GetRequiredService<SubjectKeyHome>().OpenAsync([], CancellationToken.None);
    }

    private static void Fsync(string directory)
    {
        const int Count = 200;
        var batch = new byte[128 << 10];
        using var file = File.OpenHandle(
            Path.Combine(directory, "fsync"),
            FileMode.CreateNew,
            FileAccess.Write,
            FileShare.None
        );
        var clock = Stopwatch.StartNew();
        for (var written = 0; written < Count; written++)
        {
            RandomAccess.Write(file, batch, (long)written * batch.Length);
            RandomAccess.FlushToDisk(file);
        }

        Say($"this disk: {Count / clock.Elapsed.TotalSeconds:F0} appends of 128 KiB with fsync a second");
    }

    private static async Task<List<double>> AppendAsync(ServiceProvider services, int callers, TimeSpan during)
    {
        var writer = services.GetRequiredService<IWriter>();
        var clock = Stopwatch.StartNew();
        var times = await Task.WhenAll(Enumerable.Range(0, callers).Select(Caller));
        return [.. times.SelectMany(list => list)];

        async Task<List<double>> Caller(int number)
        {
            await Task.Yield();
            var took = new List<double>();
            var actor = new Actor(ActorKind.Service, $"{number:x32}");
            while (clock.Elapsed < during)
            {
                var start = Stopwatch.GetTimestamp();
                await writer.LogAsync(
                    new LogEntry("artifact.read", actor, "version:income/2", LogOutcome.Begun)
                    {
                        Details = new() { ["path"] = "model/model.pkl", ["permission"] = "artifact:read" },
                    },
                    CancellationToken.None
                );
                took.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }

            return took;
        }
    }

    private static async Task SequencedAsync(ServiceProvider services)
    {
        var log = services.GetRequiredService<IAuditLog>();
        var newest = (await log.QueryAsync(new AuditQuery { First = 1 }, CancellationToken.None)).Items[0];
        while (await log.AwaitProofAsync(newest.Id, TimeSpan.FromSeconds(60), CancellationToken.None) is null) { }
    }

    private static void Say(FormattableString text) =>
        System.Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
