using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Audit.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Witnessing;

/// <summary>Reads and keeps cosignatures.</summary>
internal static class Cosigned
{
    // The newest rows that are looked at for a checkpoint with enough cosignatures: witnesses are asked in rounds.
    private const int Recent = 128;

    // The newest of each witness whose times are compared with those of entries.
    private const int Timed = 1000;

    /// <summary>The note of a checkpoint with the lines of the witnesses that cosigned it.</summary>
    public static async Task<string> NoteAsync(
        this GovernanceDb db,
        CheckpointRow checkpoint,
        CancellationToken cancellationToken
    )
    {
        var lines = await db.Set<CosignatureRow>()
            .Where(row => row.Size == checkpoint.Size)
            .OrderBy(row => row.Witness)
            .Select(row => row.Line)
            .ToListAsync(cancellationToken);
        return checkpoint.Note + string.Concat(lines);
    }

    /// <summary>The newest checkpoint that at least so many of these witnesses cosigned; null when there is none of late.</summary>
    public static async Task<CheckpointRow?> NewestCosignedAsync(
        this GovernanceDb db,
        IReadOnlyCollection<string> witnesses,
        int atLeast,
        CancellationToken cancellationToken
    )
    {
        if (witnesses.Count == 0)
        {
            return null;
        }

        var sizes = await db.Set<CosignatureRow>()
            .Where(row => witnesses.Contains(row.Witness))
            .OrderByDescending(row => row.Size)
            .Take(Recent)
            .Select(row => row.Size)
            .ToListAsync(cancellationToken);
        var enough = sizes
            .CountBy(size => size)
            .Where(count => count.Value >= atLeast)
            .Select(count => count.Key)
            .ToList();
        var newest = enough.Count == 0 ? -1 : enough.Max();
        return await db.Set<CheckpointRow>()
            .AsNoTracking()
            .FirstOrDefaultAsync(row => row.Size == newest, cancellationToken);
    }

    /// <summary>By rising size, when these witnesses saw trees of that size: by their own clocks, under their own keys.</summary>
    public static async Task<IReadOnlyList<(long Size, long Ms)>> CosignedTimesAsync(
        this GovernanceDb db,
        IEnumerable<WitnessOptions> witnesses,
        CancellationToken cancellationToken
    )
    {
        var times = new List<(long Size, long Ms)>();
        foreach (var key in witnesses.Select(witness => NoteKey.TryParse(witness.VerifierKey, NoteKey.Witness)!))
        {
            var last = await db.Set<CosignatureRow>()
                .Where(row => row.Witness == key.VerifierKey)
                .Join(
                    db.Set<CheckpointRow>(),
                    row => row.Size,
                    checkpoint => checkpoint.Size,
                    (row, checkpoint) => new { row.Size, Note = checkpoint.Note + row.Line }
                )
                .OrderByDescending(row => row.Size)
                .Take(Timed)
                .ToListAsync(cancellationToken);
            times.AddRange(
                from row in last
                let line = SignedNote.TryParse(row.Note)?.SignatureOf(key)
                where line is not null
                select (row.Size, Cosignature.SecondsOf(line.Signature) * 1000)
            );
        }

        return [.. times.OrderBy(time => time.Size)];
    }

    /// <summary>The size that a witness cosigned last, and when; null before the first.</summary>
    public static Task<CosignatureRow?> LastAsync(
        this GovernanceDb db,
        string witness,
        CancellationToken cancellationToken
    ) =>
        db.Set<CosignatureRow>()
            .AsNoTracking()
            .Where(row => row.Witness == witness)
            .OrderByDescending(row => row.Size)
            .FirstOrDefaultAsync(cancellationToken);

    /// <summary>Keeps a cosignature that verified; the first one of a checkpoint and witness stays.</summary>
    public static Task<Result<Unit>> KeepAsync(
        this IWriter writer,
        long size,
        string witness,
        string line,
        CancellationToken cancellationToken
    ) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.Db.ExecuteAsync(
                    """
                    INSERT INTO audit_cosignature ("Size", "Witness", "Line", "At") VALUES (@0, @1, @2, @3)
                    ON CONFLICT DO NOTHING
                    """,
                    [size, witness, line, session.Now.ToUnixTimeMilliseconds()],
                    token
                );
                return default(Unit);
            },
            cancellationToken
        );
}
