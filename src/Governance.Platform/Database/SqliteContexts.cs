using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;

namespace Governance.Platform.Database;

/// <summary>
/// Contexts for reading, each with a connection of its own that stays open between uses: the statements prepared on it, the
/// page cache and EF's services are kept. A disposed context comes back here. One that was left inside a transaction does not.
/// </summary>
internal sealed class SqliteContexts(SqliteConnections connections) : IDbContextFactory<GovernanceDb>, IDisposable
{
    private const int MostKept = 64;
    private readonly ConcurrentBag<GovernanceDb> _idle = [];
    private volatile bool _closed;

    public GovernanceDb CreateDbContext()
    {
        if (_idle.TryTake(out var kept))
        {
            kept.LendFrom(this);
            return kept;
        }

        var made = new GovernanceDb(connections.OptionsFor(connections.Open(), owned: true));
        made.LendFrom(this);
        return made;
    }

    /// <summary>Takes a context back; false when it is to be thrown away, and with it its connection.</summary>
    public bool TryTakeBack(GovernanceDb db)
    {
        if (_closed || _idle.Count >= MostKept || db.Database.CurrentTransaction is not null)
        {
            return false;
        }

        db.ChangeTracker.Clear();
        _idle.Add(db);
        return true;
    }

    public void Dispose()
    {
        _closed = true;
        while (_idle.TryTake(out var db))
        {
            db.Dispose();
        }
    }
}
