using System.Collections.Frozen;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Platform.Keys;

/// <summary>
/// Which keys there are, in every gateway on the same database: one replaces a key, the others see it within seconds, which is
/// before the new one signs. Changes are part of the unit that writes their log entry.
/// </summary>
public sealed class KeyRing
{
    private readonly IDbContextFactory<GovernanceDb> _databases;
    private readonly Lock _lock = new();
    private volatile FrozenDictionary<string, IReadOnlyList<KeyGeneration>> _known = FrozenDictionary<
        string,
        IReadOnlyList<KeyGeneration>
    >.Empty;

    private long _revision;

    /// <summary>Made by dependency injection.</summary>
    public KeyRing(IDbContextFactory<GovernanceDb> databases) => _databases = databases;

    /// <summary>Changes whenever something about a key does.</summary>
    public long Revision => Interlocked.Read(ref _revision);

    /// <summary>The keys of a task, the oldest first; at least one.</summary>
    public IReadOnlyList<KeyGeneration> Of(string name) =>
        _known.TryGetValue(name, out var known) ? known : [new KeyGeneration(name, 1, name)];

    /// <summary>The key that signs at a time: the newest that may.</summary>
    public KeyGeneration CurrentOf(string name, DateTimeOffset now) =>
        Of(name).LastOrDefault(key => key.ActiveFrom <= now && (key.End is null || now < key.End))
        ?? throw new InvalidOperationException($"No key {name} may sign now.");

    /// <summary>Reads what other gateways changed.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        await using var db = await _databases.CreateDbContextAsync(cancellationToken);
        Apply(await db.Set<KeyRow>().AsNoTracking().ToListAsync(cancellationToken));
    }

    /// <summary>
    /// Adds a key whose file is there already. The one before it counts until <paramref name="retireAt"/>. Code
    /// <c>keys.rotation_pending</c> while the newest key does not sign yet.
    /// </summary>
    public async Task<Result<KeyGeneration>> AddAsync(
        WriteSession session,
        string name,
        string file,
        DateTimeOffset activeFrom,
        DateTimeOffset retireAt,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(session);
        var rows = await RowsAsync(session, name, cancellationToken);
        var newest = rows[^1];
        if (newest.ActiveFrom > session.Now)
        {
            return Failure.Conflict("keys.rotation_pending", "The newest key does not sign yet; wait until it does.");
        }

        newest.End = Earlier(newest.End, retireAt);
        var added = new KeyRow
        {
            Name = name,
            Number = newest.Number + 1,
            File = file,
            ActiveFrom = activeFrom,
        };
        session.Db.Add(added);
        await session.Db.SaveChangesAsync(cancellationToken);
        await ApplyAfterCommitAsync(session, cancellationToken);
        return Of(added);
    }

    /// <summary>
    /// Nothing that the key signs at this time or later counts. When no other may sign now, the one that waits does, or else the
    /// replacement, whose file is there already. Code <c>keys.unknown</c>.
    /// </summary>
    public async Task<Result<KeyGeneration>> RevokeAsync(
        WriteSession session,
        string name,
        int number,
        DateTimeOffset from,
        string replacement,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(session);
        var rows = await RowsAsync(session, name, cancellationToken);
        if (rows.Find(row => row.Number == number) is not { } row)
        {
            return Failure.NotFound("keys.unknown", "There is no such key.");
        }

        // Windows end with a whole second that still counts.
        var start = DateTimeOffset.FromUnixTimeSeconds(from.ToUnixTimeSeconds());
        row.RevokedFrom = Earlier(row.RevokedFrom, start);
        row.End = Earlier(row.End, start.AddSeconds(-1));
        if (!rows.Exists(other => other.ActiveFrom <= session.Now && (other.End is null || other.End > session.Now)))
        {
            if (rows.Find(other => other.ActiveFrom > session.Now && other.RevokedFrom is null) is { } waiting)
            {
                waiting.ActiveFrom = session.Now;
            }
            else
            {
                session.Db.Add(
                    new KeyRow
                    {
                        Name = name,
                        Number = rows[^1].Number + 1,
                        File = replacement,
                        ActiveFrom = session.Now,
                    }
                );
            }
        }

        await session.Db.SaveChangesAsync(cancellationToken);
        await ApplyAfterCommitAsync(session, cancellationToken);
        return Of(row);
    }

    private static async Task<List<KeyRow>> RowsAsync(
        WriteSession session,
        string name,
        CancellationToken cancellationToken
    )
    {
        var rows = await session
            .Db.Set<KeyRow>()
            .Where(row => row.Name == name)
            .OrderBy(row => row.Number)
            .ToListAsync(cancellationToken);
        if (rows.Count == 0)
        {
            rows.Add(
                new KeyRow
                {
                    Name = name,
                    Number = 1,
                    File = name,
                    ActiveFrom = DateTimeOffset.UnixEpoch,
                }
            );
            session.Db.Add(rows[0]);
        }

        return rows;
    }

    private async Task ApplyAfterCommitAsync(WriteSession session, CancellationToken cancellationToken)
    {
        var all = await session.Db.Set<KeyRow>().AsNoTracking().ToListAsync(cancellationToken);
        session.AfterCommit(() => Apply(all));
    }

    private void Apply(List<KeyRow> rows)
    {
        var known = rows.GroupBy(row => row.Name)
            .ToFrozenDictionary(
                group => group.Key,
                group => (IReadOnlyList<KeyGeneration>)[.. group.OrderBy(row => row.Number).Select(Of)],
                StringComparer.Ordinal
            );
        lock (_lock)
        {
            if (known.Count != _known.Count || known.Any(pair => !pair.Value.SequenceEqual(Of(pair.Key))))
            {
                _known = known;
                Interlocked.Increment(ref _revision);
            }
        }
    }

    private static KeyGeneration Of(KeyRow row) =>
        new(row.Name, row.Number, row.File)
        {
            ActiveFrom = row.ActiveFrom,
            End = row.End,
            RevokedFrom = row.RevokedFrom,
        };

    private static DateTimeOffset Earlier(DateTimeOffset? known, DateTimeOffset other) =>
        known is { } end && end < other ? end : other;
}
