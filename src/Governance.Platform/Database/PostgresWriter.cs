using System.Data;
using System.Security.Cryptography;
using Governance.Kernel;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Governance.Platform.Database;

/// <summary>
/// Writes to PostgreSQL: each unit is a SERIALIZABLE transaction of its own, so whatever it read is still so when it commits,
/// exactly as with the one writer of SQLite. A unit that lost against another one runs again; one that keeps losing takes its
/// turn alone. A unit may therefore run several times, of which only one is kept.
/// </summary>
internal sealed class PostgresWriter : IWriter, IAsyncDisposable
{
    private const int TogetherAttempts = 4;
    private const int MaxAttempts = 10;
    private static readonly TimeSpan UnitTimeout = TimeSpan.FromSeconds(30);

    private readonly DbContextOptions<GovernanceDb> _options;
    private readonly ILogAppender _log;
    private readonly IGraphWriter _graph;
    private readonly TimeProvider _clock;
    private readonly ILogger<PostgresWriter> _logger;
    private readonly SemaphoreSlim _slots;
    private readonly bool _rehearse;

    public PostgresWriter(
        PostgresConnections connections,
        DatabaseOptions options,
        ILogAppender log,
        IGraphWriter graph,
        RefusalFold refusals,
        TimeProvider clock,
        ILogger<PostgresWriter> logger
    )
    {
        Refusals = refusals;
        Entries = new EntryQueue(this);
        _options = connections.Options;
        _log = log;
        _graph = graph;
        _clock = clock;
        _logger = logger;
        _rehearse = options.Rehearse;
        // Readers always find a connection.
        _slots = new SemaphoreSlim(Math.Max(1, options.MaxConnections / 3));
    }

    public RefusalFold Refusals { get; }

    public EntryQueue Entries { get; }

    public async Task<Result<T>> WriteAsync<T>(
        Func<WriteSession, CancellationToken, Task<Result<T>>> work,
        CancellationToken cancellationToken
    )
    {
        await _slots.WaitAsync(cancellationToken);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                var alone = attempt > TogetherAttempts;
                try
                {
                    if (_rehearse)
                    {
                        await RunAsync(work, alone, keep: false, cancellationToken);
                    }

                    return await RunAsync(work, alone, keep: true, cancellationToken);
                }
                catch (Exception exception) when (attempt < MaxAttempts && LostToAnother(exception, alone))
                {
                    await Task.Delay(RandomNumberGenerator.GetInt32(1, 5 * attempt), cancellationToken);
                }
            }
        }
        finally
        {
            _slots.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Entries.DisposeAsync();
        _slots.Dispose();
    }

    private async Task<Result<T>> RunAsync<T>(
        Func<WriteSession, CancellationToken, Task<Result<T>>> work,
        bool alone,
        bool keep,
        CancellationToken cancellationToken
    )
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(UnitTimeout);
        await using var db = new GovernanceDb(_options);
        db.Database.AutoSavepointsEnabled = false;
        await using var transaction = await db.Database.BeginTransactionAsync(
            IsolationLevel.Serializable,
            limited.Token
        );
        // Before anything is read: the snapshot of the transaction is taken after the lock is there.
        await db.Database.ExecuteSqlRawAsync(alone ? BeginAlone : BeginTogether, limited.Token);
        var now = WriteSession.TimeOf(_clock);
        db.StampAdded(() => now);
        var session = new WriteSession(db, now, _log, _graph);
        var result = await work(session, limited.Token);
        if (result.Ok)
        {
            await db.SaveChangesAsync(limited.Token);
        }

        if (!result.Ok || !keep)
        {
            await transaction.RollbackAsync(CancellationToken.None);
            return result;
        }

        // A server answers COMMIT of a failed transaction with a silent ROLLBACK; any statement before it brings the error out.
        await db.Database.ExecuteSqlRawAsync("SELECT 1", limited.Token);
        await transaction.CommitAsync(CancellationToken.None);
        session.Committed(_logger);
        return result;
    }

    // Sequential scans would lock whole tables against concurrent units, index scans only what was read.
    private const string BeginTogether = """
        SET LOCAL enable_seqscan = off; SET LOCAL synchronous_commit = on;
        LOCK TABLE platform_lease IN ROW SHARE MODE
        """;

    private const string BeginAlone = """
        SET LOCAL enable_seqscan = off; SET LOCAL synchronous_commit = on;
        LOCK TABLE platform_lease IN EXCLUSIVE MODE
        """;

    private static bool LostToAnother(Exception exception, bool alone)
    {
        for (Exception? inner = exception; inner is not null; inner = inner.InnerException)
        {
            if (inner is PostgresException refused)
            {
                return refused.SqlState
                        is PostgresErrorCodes.SerializationFailure
                            or PostgresErrorCodes.DeadlockDetected
                    // Two units made the same row; run again, the loser sees the winner's. Alone, it is the unit's own mistake.
                    || (refused.SqlState == PostgresErrorCodes.UniqueViolation && !alone);
            }
        }

        return false;
    }
}
