using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Upstream;

/// <summary>
/// One at a time per lane: in this process by a semaphore, among gateways on one PostgreSQL by a lock of a session that goes
/// with it.
/// </summary>
internal sealed class LaneLocks(IDbContextFactory<GovernanceDb> databases, DatabaseOptions? options = null)
    : IDisposable
{
    private sealed class Gate
    {
        public SemaphoreSlim Semaphore { get; } = new(1, 1);

        public int Users { get; set; }
    }

    private readonly Dictionary<string, Gate> _gates = new(StringComparer.Ordinal);

    // Each holds a connection for as long as it is held: what is left over is for the units that its holder waits for. Who
    // makes something waits for lanes, and who has a lane waits for none.
    private readonly SemaphoreSlim _lanes = new(Slots(options));
    private readonly SemaphoreSlim _intents = new(Slots(options));

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

        var held = new Held(() => Release(lane, gate));
        try
        {
            await held.LockAsync(databases, _lanes, lane, wait: true, cancellationToken);
            return held;
        }
        catch
        {
            await held.DisposeAsync();
            throw;
        }
    }

    /// <summary>What no other gateway makes now; null when one does. In this process whoever asks knows.</summary>
    public async Task<IAsyncDisposable?> TryTakeAsync(Guid intent, CancellationToken cancellationToken)
    {
        var held = new Held(() => { });
        try
        {
            if (await held.LockAsync(databases, _intents, $"intent:{intent:N}", wait: false, cancellationToken))
            {
                return held;
            }
        }
        catch
        {
            await held.DisposeAsync();
            throw;
        }

        await held.DisposeAsync();
        return null;
    }

    public void Dispose()
    {
        _lanes.Dispose();
        _intents.Dispose();
    }

    private static int Slots(DatabaseOptions? options) =>
        Math.Max(1, (options ?? new DatabaseOptions()).MaxConnections / 6);

    private void Release(string lane, Gate gate)
    {
        gate.Semaphore.Release();
        Leave(lane, gate);
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

    private sealed class Held(Action release) : IAsyncDisposable
    {
        private GovernanceDb? _db;
        private SemaphoreSlim? _slots;

        public async Task<bool> LockAsync(
            IDbContextFactory<GovernanceDb> databases,
            SemaphoreSlim slots,
            string name,
            bool wait,
            CancellationToken cancellationToken
        )
        {
            await using (var db = await databases.CreateDbContextAsync(cancellationToken))
            {
                if (!db.IsShared())
                {
                    return true;
                }
            }

            await slots.WaitAsync(cancellationToken);
            _slots = slots;
            _db = await databases.CreateDbContextAsync(cancellationToken);
            // Whoever waits says how long.
            _db.Database.SetCommandTimeout(TimeSpan.FromHours(1));
            await _db.Database.OpenConnectionAsync(cancellationToken);
            name = "upstream:" + name;
            if (wait)
            {
                await _db.Database.ExecuteSqlAsync(
                    $"SELECT pg_advisory_lock(hashtextextended({name}, 0))",
                    cancellationToken
                );
                return true;
            }

            return await _db
                .Database.SqlQuery<bool>($"SELECT pg_try_advisory_lock(hashtextextended({name}, 0)) AS \"Value\"")
                .SingleAsync(cancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            try
            {
                if (_db is { } db)
                {
                    await using (db)
                    {
                        // A pooled connection keeps its locks: they are given back before it is.
                        await db.Database.ExecuteSqlAsync($"SELECT pg_advisory_unlock_all()", CancellationToken.None);
                    }
                }
            }
            finally
            {
                _slots?.Release();
                release();
            }
        }
    }
}
