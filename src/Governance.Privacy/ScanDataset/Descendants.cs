using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Privacy.Contracts;
using Governance.Privacy.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Privacy.ScanDataset;

/// <summary>
/// What is known about a table binds all that was made of it: when that changes, every descendant is judged anew, and none of
/// them passes until then.
/// </summary>
internal sealed class Descendants(IEnumerable<IDatasetWatch> watches)
{
    /// <summary>In the unit that made the change: every copy of every descendant waits for a new scan, and watchers are told.</summary>
    public async Task ReevaluateAsync(WriteSession session, string sha256, CancellationToken cancellationToken)
    {
        foreach (var descendant in await OfAsync(session.Db, sha256, cancellationToken))
        {
            var copies = await session
                .Db.Set<DatasetRow>()
                .Where(row => row.Sha256 == descendant)
                .ToListAsync(cancellationToken);
            foreach (var row in copies)
            {
                row.Revision++;
                row.ScanState = ScanStates.Pending;
                await session.EnqueueAsync(ScanJob.For(row.Id), cancellationToken);
            }

            await session.Db.SaveChangesAsync(cancellationToken);
            foreach (var watch in watches)
            {
                await watch.OnChangedAsync(session, Digest.Parse(descendant), cancellationToken);
            }
        }
    }

    private static async Task<List<string>> OfAsync(GovernanceDb db, string sha256, CancellationToken cancellationToken)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal) { sha256 };
        var next = new Queue<string>(seen);
        var found = new List<string>();
        while (next.TryDequeue(out var parent))
        {
            var outputs = await db.Set<DerivationRow>()
                .Where(row => row.Inputs.Contains(parent))
                .Select(row => row.Output)
                .Distinct()
                .ToListAsync(cancellationToken);
            foreach (var output in outputs.Where(seen.Add))
            {
                found.Add(output);
                next.Enqueue(output);
            }
        }

        return found;
    }
}
