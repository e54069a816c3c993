using System.Security.Cryptography;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Audit.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Sequencing;

/// <summary>
/// Orders committed entries by serial into the tree and signs the checkpoint over them, in one unit: a leaf without a
/// checkpoint, or a checkpoint without its leaves, never exists.
/// </summary>
/// <remarks>
/// One gateway at a time does it. The role is taken in the same unit, so that two which both believe to have it cannot both
/// commit; that the tree cannot fork does not even rest on that, for an index has one leaf.
/// </remarks>
internal sealed class SequenceEntries(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    Leases leases,
    LogKey key,
    EntrySalts salts,
    TimeProvider clock
)
{
    public const int BatchSize = 1000;
    public const string Role = "audit.sequencer";

    /// <summary>Sequences at most one batch; returns how many entries it took.</summary>
    public async Task<Result<int>> RunAsync(CancellationToken cancellationToken)
    {
        // A look without the write lock, so that an idle log costs nothing.
        long settled;
        var db = await databases.CreateDbContextAsync(cancellationToken);
        await using (db)
        {
            var last = await LastSerialAsync(db, cancellationToken);
            if (
                !await db.Set<EntryRow>().AnyAsync(entry => entry.Serial > last, cancellationToken)
                || await leases.IsElsewhereAsync(db, Role, clock.GetUtcNow(), cancellationToken)
            )
            {
                return 0;
            }

            settled = await db.SettledEntriesAsync(cancellationToken);
        }

        return await writer.WriteAsync<int>(
            (session, token) => SequenceAsync(session, settled, token),
            cancellationToken
        );
    }

    private static async Task<long> LastSerialAsync(GovernanceDb db, CancellationToken cancellationToken) =>
        await db.Set<LeafRow>()
            .OrderByDescending(leaf => leaf.Index)
            .Select(leaf => leaf.Serial)
            .FirstOrDefaultAsync(cancellationToken);

    private async Task<Result<int>> SequenceAsync(
        WriteSession session,
        long settled,
        CancellationToken cancellationToken
    )
    {
        if (!await leases.TakeAsync(session, Role, cancellationToken))
        {
            return 0;
        }

        var db = session.Db;
        var last = await LastSerialAsync(db, cancellationToken);
        var entries = await db.Set<EntryRow>()
            .AsNoTracking()
            .Where(entry => entry.Serial > last && entry.Serial <= settled)
            .OrderBy(entry => entry.Serial)
            .Take(BatchSize)
            .Select(entry => new
            {
                entry.Serial,
                entry.Id,
                entry.Canonical,
                entry.Salt,
            })
            .ToListAsync(cancellationToken);
        if (entries.Count == 0)
        {
            return 0;
        }

        var previous = await PreviousAsync(db, cancellationToken);
        if (previous is null)
        {
            return LogFailures.CheckpointForged;
        }

        var nodes = new Dictionary<NodeId, byte[]>();
        var edge = MerkleTree.Cover(0, previous.Size);
        await db.ReadNodesAsync(edge, nodes, cancellationToken);
        if (edge.Any(id => !nodes.ContainsKey(id)))
        {
            return LogFailures.TreeAltered;
        }

        var tree = new TreeBuilder(previous.Size, [.. edge.Select(id => nodes[id])]);
        var (leaves, subtrees) = (new List<LeafRow>(), new List<NodeRow>());
        foreach (var entry in entries)
        {
            if (salts.LeafHash(entry.Salt, entry.Canonical) is not { } hash)
            {
                return LogFailures.EntryAltered.At($"Entry {entry.Id}, before it was sequenced.");
            }

            var leaf = new LeafRow
            {
                Index = tree.Size,
                Serial = entry.Serial,
                EntryId = entry.Id,
                Hash = hash,
            };
            leaves.Add(leaf);
            nodes[new NodeId(0, leaf.Index)] = hash;
            foreach (var (id, nodeHash) in tree.Append(hash))
            {
                subtrees.Add(
                    new NodeRow
                    {
                        Level = id.Level,
                        Index = id.Index,
                        Hash = nodeHash,
                    }
                );
                nodes[id] = nodeHash;
            }
        }

        var next = new Checkpoint(key.Origin, tree.Size, tree.Root);
        if (!await ExtendsAsync(db, previous, next, nodes, cancellationToken))
        {
            return LogFailures.TreeAltered;
        }

        await db.InsertAsync(leaves, cancellationToken);
        await db.InsertAsync(subtrees, cancellationToken);
        var checkpoint = new CheckpointRow
        {
            Size = next.Size,
            Root = next.Root,
            Note = key.Sign(next),
            At = session.Now.ToUnixTimeMilliseconds(),
        };
        await db.InsertAsync([checkpoint], cancellationToken);
        return entries.Count;
    }

    // The newest checkpoint as its signature vouches for it, the empty tree before the first, null when it is not ours.
    private async Task<Checkpoint?> PreviousAsync(GovernanceDb db, CancellationToken cancellationToken)
    {
        var row = await db.Set<CheckpointRow>()
            .AsNoTracking()
            .OrderByDescending(checkpoint => checkpoint.Size)
            .FirstOrDefaultAsync(cancellationToken);
        if (row is null)
        {
            return await db.Set<LeafRow>().AnyAsync(cancellationToken)
                ? null
                : new Checkpoint(key.Origin, 0, MerkleTree.EmptyRoot);
        }

        return Checkpoint.Open(row.Note, key.Public) is { } opened && opened.Size == row.Size ? opened : null;
    }

    // The promise to everyone who kept the previous checkpoint, proven from stored nodes and not from the builder's state.
    private static async Task<bool> ExtendsAsync(
        GovernanceDb db,
        Checkpoint previous,
        Checkpoint next,
        Dictionary<NodeId, byte[]> nodes,
        CancellationToken cancellationToken
    )
    {
        var plan = MerkleProof.PlanConsistency(previous.Size, next.Size);
        var needed = plan.SelectMany(range => MerkleTree.Cover(range.Begin, range.End)).ToList();
        await db.ReadNodesAsync(needed, nodes, cancellationToken);
        var stored = MerkleTree.Fold([.. MerkleTree.Cover(0, previous.Size).Select(id => nodes[id])]);
        return CryptographicOperations.FixedTimeEquals(stored, previous.Root)
            && needed.TrueForAll(nodes.ContainsKey)
            && MerkleProof.VerifyConsistency(
                previous.Size,
                previous.Root,
                next.Size,
                next.Root,
                MerkleProof.Resolve(plan, nodes)
            );
    }
}
