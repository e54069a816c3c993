using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Upstream;

/// <summary>
/// One at a time per lane: in this process by a semaphore, among gateways on one PostgreSQL by a lock of a session that goes
/// with it.
/// </summary>
internal sealed class LaneLocks(IDbContextFactory<GovernanceDb> databases)
{
    private sealed class Gate
    {
        public SemaphoreSlim Semaphore { get; } = new(1, 1);

        public int Users { get; set; }
    }

    private readonly Dictionary<string, Gate> _gates = new(StringComparer.Ordinal);

    /// <summary>Waits for its turn; disposing gives it to the next.</summary>
    public async Task<IAsyncDisposable> TakeAsync(string lane, CancellationToken cancellationToken)
    {
        Gate? gate;
        lock (_gates)
        {
            if (!_gates.TryGetValue(lane, out gate))
            {
                _gates[lane] = gate = new Gate();
            }

            gate.Users++;
        }

        try
        {
            await gate.Semaphore.WaitAsync(cancellationToken);
        }
        catch
        {
            Leave(lane, gate);
            throw;
        }

        var held = new Held(this, lane, gate);
        try
        {
            await held.LockAsync(databases, cancellationToken);
            return held;
        }
        catch
        {
            await held.DisposeAsync();
            throw;
        }
    }

    private void Leave(string lane, Gate gate)
    {
        lock (_gates)
        {
            if (--gate.Users == 0)
            {
                _gates.Remove(lane);
                gate.Semaphore.Dispose();
            }
        }
    }

    private sealed class Held(LaneLocks locks, string lane, Gate gate) : IAsyncDisposable
    {
        private GovernanceDb? _db;

        public async Task LockAsync(IDbContextFactory<GovernanceDb> databases, CancellationToken cancellationToken)
        {
            var db = await databases.CreateDbContextAsync(cancellationToken);
            if (!db.IsShared())
            {
                await db.DisposeAsync();
                return;
            }

            _db = db;
            await db.Database.OpenConnectionAsync(cancellationToken);
            await db.Database.ExecuteSqlAsync(
                $"SELECT pg_advisory_lock(hashtextextended({"upstream:" + lane}, 0))",
                cancellationToken
            );
        }

        public async ValueTask DisposeAsync()
        {
            if (_db is { } db)
            {
                try
                {
                    // A pooled connection keeps its locks: they are given back before it is.
                    await db.Database.ExecuteSqlAsync($"SELECT pg_advisory_unlock_all()", CancellationToken.None);
                }
                finally
                {
                    await db.DisposeAsync();
                }
            }

            gate.Semaphore.Release();
            locks.Leave(lane, gate);
        }
    }
}
