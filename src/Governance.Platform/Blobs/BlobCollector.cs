using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Governance.Platform.Blobs;

/// <summary>
/// Removes blobs that nothing refers to. A blob is looked at once per grace period: unused the first time, it is marked; unused
/// the second time, it is being deleted, which is committed and logged before the first byte goes, and no upload can attach it
/// until that is over (<see cref="BlobRow.Attach"/>). Marks and looks are units of the one writer; a crash at any point leaves
/// a state that the next run takes up. Only one run goes on at a time: the jobs see to that.
/// </summary>
internal sealed partial class BlobCollector(
    IWriter writer,
    IDbContextFactory<GovernanceDb> databases,
    IBlobFiles files,
    IEnumerable<IBlobReferences> references,
    BlobOptions options,
    TimeProvider clock,
    ILogger<BlobCollector> logger
) : IJobHandler
{
    private const int Batch = 100;
    private const int Prefixes = 256;
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(2);
    private readonly IReadOnlyList<IBlobReferences> _references = [.. references];

    public static JobRequest Job(bool files) => new("platform.collect-blobs", "all", files ? nameof(files) : "");

    public string Kind => Job(files: false).Kind;

    private TimeSpan Grace => TimeSpan.FromHours(options.GraceHours);

    public async Task RunAsync(string payload, CancellationToken cancellationToken)
    {
        if (_references.Count == 0)
        {
            throw new InvalidOperationException("No module says which blobs it refers to: nothing can be collected.");
        }

        var end = clock.GetUtcNow() + LongestRun;
        await files.CleanAsync(clock.GetUtcNow() - Grace, cancellationToken);
        await DeleteAsync(cancellationToken);
        while (await LookAsync(cancellationToken) && clock.GetUtcNow() < end)
        {
            await DeleteAsync(cancellationToken);
        }

        await DeleteAsync(cancellationToken);
        await ForgetAsync(cancellationToken);
        if (payload == Job(files: true).Payload)
        {
            for (var prefix = 0; prefix < Prefixes; prefix++)
            {
                await AdoptAsync(prefix.ToString("x2", null), cancellationToken);
            }
        }
    }

    public Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken)
    {
        // Nothing is lost but space; the next hour brings a new job.
        GivenUp(logger, reason);
        return Task.CompletedTask;
    }

    // One batch of blobs that were not looked at for a grace period. False when there is none.
    private async Task<bool> LookAsync(CancellationToken cancellationToken)
    {
        var looked = await writer.WriteAsync<int>(
            async (session, token) =>
            {
                var before = session.Now - Grace;
                var rows = await session
                    .Db.Set<BlobRow>()
                    .Where(row =>
                        (row.State == BlobState.Live || row.State == BlobState.Unused) && row.ChangedAt < before
                    )
                    .OrderBy(row => row.ChangedAt)
                    .Take(Batch)
                    .ToListAsync(token);
                var used = await UsedAsync(session.Db, rows.ConvertAll(row => row.Digest), token);
                foreach (var row in rows)
                {
                    row.Look(used.Contains(row.Digest), session.Now);
                }

                await LogAsync(session, rows.FindAll(row => row.State == BlobState.Deleting), token);
                return rows.Count;
            },
            cancellationToken
        );
        return looked.Value > 0;
    }

    private async Task<HashSet<Digest>> UsedAsync(
        GovernanceDb db,
        List<Digest> digests,
        CancellationToken cancellationToken
    )
    {
        var used = new HashSet<Digest>();
        foreach (var module in _references)
        {
            used.UnionWith(await module.UsedAsync(db, digests, cancellationToken));
        }

        return used;
    }

    private static async Task LogAsync(WriteSession session, List<BlobRow> rows, CancellationToken cancellationToken)
    {
        if (rows.Count > 0)
        {
            var entry = new LogEntry("platform.blobs_collected", Actor.System, "", LogOutcome.Done)
            {
                Details = new JsonObject
                {
                    ["bytes"] = rows.Sum(row => row.Size),
                    ["sha256"] = new JsonArray([.. rows.Select(row => JsonValue.Create(row.Digest.Hex))]),
                },
            };
            await session.LogAsync(entry, cancellationToken);
        }
    }

    // The deletion was committed before; a crash before the second unit repeats it.
    private async Task DeleteAsync(CancellationToken cancellationToken)
    {
        List<Digest> doomed;
        do
        {
            await using (var db = await databases.CreateDbContextAsync(cancellationToken))
            {
                doomed = await db.Set<BlobRow>()
                    .Where(row => row.State == BlobState.Deleting)
                    .Select(row => row.Digest)
                    .Take(Batch)
                    .ToListAsync(cancellationToken);
            }

            foreach (var digest in doomed)
            {
                await files.DeleteAsync(digest, cancellationToken);
            }

            await EndAsync(doomed, cancellationToken);
        } while (doomed.Count > 0);
    }

    private async Task EndAsync(List<Digest> deleted, CancellationToken cancellationToken)
    {
        if (deleted.Count == 0)
        {
            return;
        }

        await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                foreach (
                    var row in await session
                        .Db.Set<BlobRow>()
                        .Where(row => row.State == BlobState.Deleting && deleted.Contains(row.Digest))
                        .ToListAsync(token)
                )
                {
                    (row.State, row.ChangedAt) = (BlobState.Absent, session.Now);
                }

                return default(Unit);
            },
            cancellationToken
        );
        Collected(logger, deleted.Count);
    }

    // Uploads from before a deletion can be attached for an hour; twice that is long enough to remember it.
    private Task ForgetAsync(CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var before = session.Now - (2 * BlobRow.AttachWithin);
                await session
                    .Db.Set<BlobRow>()
                    .Where(row => row.State == BlobState.Absent && row.ChangedAt < before)
                    .ExecuteDeleteAsync(token);
                return default(Unit);
            },
            cancellationToken
        );

    // Bytes that no row knows, of uploads that were never used: they get a row that is unused, and go the way of the others.
    private async Task AdoptAsync(string prefix, CancellationToken cancellationToken)
    {
        var before = clock.GetUtcNow() - Grace;
        var batch = new List<Digest>(Batch);
        await foreach (var file in files.ListAsync(prefix, cancellationToken))
        {
            if (file.ChangedAt < before)
            {
                batch.Add(file.Digest);
            }

            if (batch.Count == Batch)
            {
                await AdoptAsync(batch, cancellationToken);
                batch.Clear();
            }
        }

        await AdoptAsync(batch, cancellationToken);
    }

    private async Task AdoptAsync(List<Digest> stored, CancellationToken cancellationToken)
    {
        if (stored.Count == 0)
        {
            return;
        }

        await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var rows = session.Db.Set<BlobRow>();
                var known = await rows.Where(row => stored.Contains(row.Digest))
                    .Select(row => row.Digest)
                    .ToListAsync(token);
                rows.AddRange(
                    stored
                        .Except(known)
                        .Select(digest => new BlobRow
                        {
                            Digest = digest,
                            State = BlobState.Unused,
                            ChangedAt = session.Now,
                        })
                );
                return default(Unit);
            },
            cancellationToken
        );
    }

    [LoggerMessage(1020, LogLevel.Information, "Collected {Count} blobs that nothing refers to")]
    private static partial void Collected(ILogger logger, int count);

    [LoggerMessage(1021, LogLevel.Error, "Collecting unused blobs was given up for now: {Reason}")]
    private static partial void GivenUp(ILogger logger, string reason);
}
