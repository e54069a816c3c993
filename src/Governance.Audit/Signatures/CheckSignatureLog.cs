using System.Security.Cryptography;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Audit.Sequencing;
using Governance.Audit.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Signatures;

/// <summary>
/// Reads the signature log once: every entry into the tree, every checkpoint against the tree of its size, and as many entries
/// as the audit log, which is checked first, says were appended.
/// </summary>
internal sealed class CheckSignatureLog(IDbContextFactory<GovernanceDb> databases, SignatureLogSigner signer)
{
    private const int BatchSize = 1024;

    /// <summary>The number of entries that hold, or the first thing that does not.</summary>
    public async Task<Result<long>> RunAsync(CancellationToken cancellationToken)
    {
        var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var _ = db;
        // Another gateway may be appending meanwhile.
        await using var snapshot = await db.SnapshotAsync(cancellationToken);
        var tree = new TreeBuilder();
        List<SignatureRow> batch;
        do
        {
            var begin = tree.Size;
            batch = await db.Set<SignatureRow>()
                .AsNoTracking()
                .Where(row => row.Index >= begin)
                .OrderBy(row => row.Index)
                .Take(BatchSize)
                .ToListAsync(cancellationToken);
            foreach (var row in batch)
            {
                if (row.Index != tree.Size)
                {
                    return LogFailures.LeafMissing;
                }

                tree.Append(MerkleTree.HashLeaf(row.Body));
                if (!IsSigned(row, tree))
                {
                    return LogFailures.CheckpointForged;
                }

                if (!row.Edge.AsSpan().SequenceEqual(tree.Edge.SelectMany(hash => hash).ToArray()))
                {
                    return LogFailures.TreeAltered;
                }
            }
        } while (batch.Count == BatchSize);

        var appended = await db.Set<EntryRow>()
            .LongCountAsync(entry => entry.Kind == SignatureLog.EntryKind, cancellationToken);
        return appended == tree.Size ? tree.Size : LogFailures.Truncated;
    }

    private bool IsSigned(SignatureRow row, TreeBuilder tree) =>
        signer.Open(row.Note) is { } opened
        && opened.Size == tree.Size
        && CryptographicOperations.FixedTimeEquals(opened.Root, tree.Root);
}
