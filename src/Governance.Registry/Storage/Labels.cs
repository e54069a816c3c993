using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Storage;

/// <summary>Tags and params of any object.</summary>
internal static class Labels
{
    private static readonly CompiledQuery<
        Func<GovernanceDb, LabelScope, List<string>, IAsyncEnumerable<LabelRow>>
    > OfObjects = new(() =>
        EF.CompileAsyncQuery(
            (GovernanceDb db, LabelScope scope, List<string> ids) =>
                db.Set<LabelRow>()
                    .AsNoTracking()
                    .OrderBy(row => row.Key)
                    .Where(row => row.Scope == scope && ids.Contains(row.ObjectId))
        )
    );

    public static async Task<ILookup<string, LabelRow>> LoadAsync(
        GovernanceDb db,
        LabelScope scope,
        IReadOnlyCollection<string> objectIds,
        CancellationToken cancellationToken
    )
    {
        if (objectIds.Count == 0)
        {
            return Array.Empty<LabelRow>().ToLookup(row => row.ObjectId);
        }

        var rows = await OfObjects.For(db)(db, scope, [.. objectIds]).ToListAsync(cancellationToken);
        return rows.ToLookup(row => row.ObjectId);
    }

    public static async Task SetAsync(
        GovernanceDb db,
        LabelScope scope,
        string objectId,
        IEnumerable<(string Key, string Value)> labels,
        CancellationToken cancellationToken
    )
    {
        foreach (var (key, value) in labels)
        {
            var row = await db.Set<LabelRow>().FindAsync([scope, objectId, key], cancellationToken);
            if (row is null)
            {
                db.Add(
                    new LabelRow
                    {
                        Scope = scope,
                        ObjectId = objectId,
                        Key = key,
                        Value = value,
                    }
                );
            }
            else
            {
                row.Value = value;
            }
        }
    }

    /// <summary>Removes a label; false when there was none.</summary>
    public static async Task<bool> RemoveAsync(
        GovernanceDb db,
        LabelScope scope,
        string objectId,
        string key,
        CancellationToken cancellationToken
    )
    {
        var row = await db.Set<LabelRow>().FindAsync([scope, objectId, key], cancellationToken);
        if (row is not null)
        {
            db.Remove(row);
        }

        return row is not null;
    }
}
