using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Governance.Audit;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Audit.Sequencing;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Governance.Benchmarks;

/// <summary>
/// What proofs and checks of a large log cost, on SQLite, in this process: <c>log proofs N</c> makes a tree of N leaves and proves
/// a thousand of them; <c>log check N</c> makes a log of N entries and checks it as at a start, and from its tiles as from outside.
/// </summary>
internal static class LogFigures
{
    private const int Proofs = 1000;
    private const int PerCheckpoint = 1000;

    public static async Task<int> RunAsync(string[] args)
    {
        if (
            args is not [("proofs" or "check") and var what, var text]
            || !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var entries)
        )
        {
            await System.Console.Error.WriteLineAsync("log proofs|check N");
            return 2;
        }

        var root = Directory.CreateTempSubdirectory("log-figures-").FullName;
        try
        {
            await using var services = Services(root);
            await using (var db = await Databases(services).CreateDbContextAsync())
            {
                await db.Database.EnsureCreatedAsync();
            }

            await services.GetRequiredService<SubjectKeyHome>().OpenAsync([], CancellationToken.None);
            var watch = Stopwatch.StartNew();
            await FillAsync(services, entries, whole: what == "check");
            System.Console.WriteLine($"{entries} leaves made in {watch.Elapsed.TotalSeconds:F0} s");
            await (what == "proofs" ? ProveAsync(services, entries) : CheckAsync(services));
            return 0;
        }
        finally
        {
            SqliteConnection.ClearAllPools();
            Directory.Delete(root, recursive: true);
        }
    }

    private static async Task ProveAsync(ServiceProvider services, int entries)
    {
        var log = services.GetRequiredService<IAuditLog>();
        var times = new List<double>();
        for (var i = 0; i < 2 * Proofs; i++)
        {
            var id = Id(RandomNumberGenerator.GetInt32(entries));
            var started = Stopwatch.GetTimestamp();
            var proof = await log.ProveAsync(id, CancellationToken.None);
            var elapsed = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
            if (proof is null)
            {
                throw new InvalidOperationException("No proof.");
            }

            // The first half warms up.
            if (i >= Proofs)
            {
                times.Add(elapsed);
            }
        }

        times.Sort();
        System.Console.WriteLine(
            $"inclusion proof among {entries}: p50 {times[Proofs / 2]:F3} ms, p99 {times[Proofs * 99 / 100]:F3} ms, mean {times.Average():F3} ms"
        );
    }

    private static async Task CheckAsync(ServiceProvider services)
    {
        for (var i = 0; i < 2; i++)
        {
            var watch = Stopwatch.StartNew();
            var cpu = Environment.CpuUsage.TotalTime;
            var holds = await services.GetRequiredService<CheckLog>().RunAsync(CancellationToken.None);
            Say("check at start", holds.Value.Leaves, watch, cpu);
        }

        var log = services.GetRequiredService<IAuditLog>();
        var tiles = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        for (var i = 0; i < 2; i++)
        {
            var watch = Stopwatch.StartNew();
            var cpu = Environment.CpuUsage.TotalTime;
            var audit = await LogTreeAuditor.AuditAsync(
                FetchAsync,
                [],
                services.GetRequiredService<ILogKey>().VerifierKey,
                CancellationToken.None
            );
            Say(
                i == 0 ? "audit from tiles, read from the database" : "audit from tiles at hand",
                audit.Value.Size,
                watch,
                cpu
            );
        }

        async Task<byte[]?> FetchAsync(string path, CancellationToken cancellationToken)
        {
            if (tiles.TryGetValue(path, out var tile))
            {
                return tile;
            }

            var parts = path.Split('/', 3);
            var bytes =
                path == "checkpoint"
                    ? System.Text.Encoding.UTF8.GetBytes((await log.CheckpointAsync(cancellationToken))!)
                    : await log.TileAsync(parts[1], parts[2], cancellationToken);
            return bytes is null ? null : tiles[path] = bytes;
        }

        static void Say(string what, long entries, Stopwatch watch, TimeSpan cpu) =>
            System.Console.WriteLine(
                $"{what}: {entries} entries in {watch.Elapsed.TotalSeconds:F2} s, {(Environment.CpuUsage.TotalTime - cpu).TotalSeconds:F2} s of CPU"
            );
    }

    private static ServiceProvider Services(string root)
    {
        var services = new ServiceCollection();
        Directory.CreateDirectory(Path.Combine(root, "data"));
        services.AddSingleton(
            new PlatformOptions
            {
                DataDirectory = Path.Combine(root, "data"),
                PoliciesDirectory = root,
                KeyFile = Path.Combine(root, "kek"),
            }
        );
        services.AddSingleton(typeof(Microsoft.Extensions.Logging.ILogger<>), typeof(NullLogger<>));
        services.AddSingleton<Microsoft.Extensions.Logging.ILoggerFactory>(NullLoggerFactory.Instance);
        services.AddPlatform();
        services.AddAudit();
        return services.BuildServiceProvider();
    }

    private static IDbContextFactory<GovernanceDb> Databases(ServiceProvider services) =>
        services.GetRequiredService<IDbContextFactory<GovernanceDb>>();

    // Whole: with the entries and a checkpoint for each thousand; otherwise only what proofs are made of.
    private static async Task FillAsync(ServiceProvider services, int entries, bool whole)
    {
        await using var db = await Databases(services).CreateDbContextAsync();
        await using var connection = new SqliteConnection(db.Database.GetConnectionString());
        await connection.OpenAsync();
        using (var quick = connection.CreateCommand())
        {
            quick.CommandText = "PRAGMA synchronous = OFF";
            await quick.ExecuteNonQueryAsync();
        }

        await using var transaction = connection.BeginTransaction();
        using var entry = Insert(
            connection,
            "audit_entry",
            "Serial",
            "Id",
            "At",
            "Kind",
            "ActorId",
            "Subject",
            "Outcome",
            "Canonical",
            "Salt"
        );
        using var leaf = Insert(connection, "audit_leaf", "Index", "Serial", "EntryId", "Hash");
        using var node = Insert(connection, "audit_node", "Level", "Index", "Hash");
        using var checkpoint = Insert(connection, "audit_checkpoint", "Size", "Root", "Note", "At");
        var key = services.GetRequiredService<LogKey>();
        var tree = new TreeBuilder();
        var salt = new byte[EntryText.SaltSize];
        for (var i = 0; i < entries; i++)
        {
            var id = Id(i);
            var hash = new byte[SHA256.HashSizeInBytes];
            if (whole)
            {
                var what = new LogEntry(
                    "registry.run_logged",
                    new Actor(ActorKind.Person, "p-1"),
                    $"run:{i}",
                    LogOutcome.Done
                )
                {
                    Details = new() { ["count"] = 3, ["sha256"] = Digest.Of(salt).Hex },
                };
                var canonical = EntryText.Canonical(id, At(i), what);
                hash = EntryText.LeafHash(salt, canonical);
                Run(
                    entry,
                    i + 1L,
                    id,
                    At(i).ToUnixTimeMilliseconds(),
                    what.Kind,
                    "p-1",
                    what.Subject,
                    "done",
                    canonical,
                    salt
                );
            }
            else
            {
                BitConverter.TryWriteBytes(hash, i);
            }

            Run(leaf, (long)i, i + 1L, id, hash);
            foreach (var (at, value) in tree.Append(hash))
            {
                Run(node, at.Level, at.Index, value);
            }

            if (i == entries - 1 || (whole && tree.Size % PerCheckpoint == 0))
            {
                var note = key.Sign(new Checkpoint(key.Origin, tree.Size, tree.Root));
                Run(checkpoint, tree.Size, tree.Root, note, At(i).ToUnixTimeMilliseconds());
            }
        }

        await transaction.CommitAsync();
    }

    private static DateTimeOffset At(int i) =>
        new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddMilliseconds(i);

    // As version 7 has them: in order of time.
    private static Guid Id(int i)
    {
        var bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(bytes, ((long)i << 24) | 0x7000);
        bytes[8] = 0x80;
        return new Guid(bytes, bigEndian: true);
    }

    private static SqliteCommand Insert(SqliteConnection connection, string table, params string[] columns)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // constants of this file
        command.CommandText =
            $"INSERT INTO {table} ({string.Join(", ", columns.Select(column => $"\"{column}\""))}) VALUES ({string.Join(", ", columns.Select((_, i) => $"@{i}"))})";
#pragma warning restore CA2100
        foreach (var i in Enumerable.Range(0, columns.Length))
        {
            command.Parameters.Add(new SqliteParameter { ParameterName = $"@{i}" });
        }

        return command;
    }

    private static void Run(SqliteCommand command, params object[] values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            command.Parameters[i].Value = values[i];
        }

        command.ExecuteNonQuery();
    }
}
