using System.Net;
using System.Security.Cryptography;
using System.Text;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Audit.Sequencing;
using Governance.Audit.Storage;
using Governance.Platform;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Witnessing;

/// <summary>How a witness took a checkpoint.</summary>
internal enum Asked
{
    /// <summary>The cosignature verified and is kept.</summary>
    Cosigned,

    /// <summary>No usable answer.</summary>
    Unanswered,

    /// <summary>It cosigned more before than it knows now: its state was set back.</summary>
    SetBack,

    /// <summary>It refuses, and shows a checkpoint of this log's key that this log does not extend.</summary>
    Contradicted,
}

/// <summary>
/// Gets one checkpoint cosigned by one witness. When the witness knows of a tree that this log does not extend, it must show
/// this log's own signature over it; then the log is not the one that it was, and nothing is written any more.
/// </summary>
internal sealed class AskWitness(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    IAuditLog log,
    LogKey key,
    LogState state,
    PlatformOptions platform
)
{
    private const int Tries = 3;

    /// <summary>Throws what an HTTP client throws when the witness cannot be reached.</summary>
    public async Task<Asked> RunAsync(
        WitnessClient witness,
        CheckpointRow checkpoint,
        CancellationToken cancellationToken
    )
    {
        var vkey = witness.Key.VerifierKey;
        long last;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            last = (await db.LastAsync(vkey, cancellationToken))?.Size ?? 0;
        }

        var from = Math.Min(last, checkpoint.Size);
        for (var i = 0; i < Tries; i++)
        {
            var proof = from is 0 ? null : await ProveAsync(from, checkpoint.Size, cancellationToken);
            var body = AddCheckpointRequest.Write(from, proof?.Hashes ?? [], checkpoint.Note);
            var reply = await witness.AddCheckpointAsync(body, checkpoint.Note, cancellationToken);
            if (reply.Cosignature is { } line)
            {
                await writer.KeepAsync(checkpoint.Size, vkey, line.ToString(), cancellationToken);
                return Asked.Cosigned;
            }

            if (reply is not { Size: { } known } || known == from)
            {
                return
                    reply.Status == HttpStatusCode.UnprocessableEntity
                    && await IsContradictedAsync(witness, cancellationToken)
                    ? Asked.Contradicted
                    : Asked.Unanswered;
            }

            if (known < last)
            {
                return Asked.SetBack;
            }

            // Another gateway of this database may have been faster.
            if (known > checkpoint.Size && await NewestAsync(cancellationToken) is { } newer)
            {
                checkpoint = newer;
            }

            if (known > checkpoint.Size)
            {
                return await IsContradictedAsync(witness, cancellationToken) ? Asked.Contradicted : Asked.Unanswered;
            }

            from = known;
        }

        return Asked.Unanswered;
    }

    public async Task<CheckpointRow?> NewestAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.NewestCheckpointAsync(cancellationToken);
    }

    private async Task<ConsistencyProof> ProveAsync(long from, long to, CancellationToken cancellationToken)
    {
        var proof = await log.ProveConsistencyAsync(from, to, cancellationToken);
        return proof.Ok ? proof.Value : throw new InvalidOperationException(proof.Failure.Code);
    }

    private async Task<bool> IsContradictedAsync(WitnessClient witness, CancellationToken cancellationToken)
    {
        if (
            await witness.CheckpointAsync(key.Origin, cancellationToken) is not { } note
            || Checkpoint.Open(note, key.Public) is not { } shown
        )
        {
            return false;
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var size = (await db.NewestCheckpointAsync(cancellationToken))?.Size ?? 0;
        var root = shown.Size <= size ? await db.RootAtAsync(shown.Size, cancellationToken) : null;
        if (root is not null && CryptographicOperations.FixedTimeEquals(root, shown.Root))
        {
            return false;
        }

        var failure = root is null ? LogFailures.RolledBack(size, shown.Size) : LogFailures.Forked(shown.Size);
        // Signed by this log: whoever holds it and any checkpoint of the other tree can prove the fork.
        DurableFile.WriteSecret(
            Path.Combine(
                platform.DataDirectory,
                "evidence",
                $"{shown.Size:D12}-{Convert.ToHexStringLower(shown.Root)[..16]}.checkpoint"
            ),
            Encoding.UTF8.GetBytes(note)
        );
        state.Break(failure);
        return true;
    }
}
