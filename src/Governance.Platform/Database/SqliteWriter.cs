using System.Threading.Channels;
using Governance.Kernel;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Governance.Platform.Database;

/// <summary>
/// The one writer of a SQLite database: units queue, are run one after another on one connection, and share a durable commit
/// (group commit). Each unit has a savepoint, so that its failure touches nobody else.
/// </summary>
internal sealed class SqliteWriter : IWriter, IAsyncDisposable
{
    private const int MaxBatch = 128;
    private static readonly TimeSpan UnitTimeout = TimeSpan.FromSeconds(30);

    private readonly Channel<IUnit> _queue = Channel.CreateBounded<IUnit>(
        new BoundedChannelOptions(4096) { SingleReader = true }
    );

    private readonly SqliteConnections _connections;
    private readonly ILogAppender _log;
    private readonly IGraphWriter _graph;
    private readonly TimeProvider _clock;
    private readonly ILogger<SqliteWriter> _logger;
    private readonly Task _loop;
    private SqliteConnection? _connection;
    private DbContextOptions<GovernanceDb>? _options;
    private GovernanceDb? _db;
    private DateTimeOffset _now;

    public SqliteWriter(
        SqliteConnections connections,
        ILogAppender log,
        IGraphWriter graph,
        RefusalFold refusals,
        TimeProvider clock,
        ILogger<SqliteWriter> logger
    )
    {
        Refusals = refusals;
        Entries = new EntryQueue(this);
        _connections = connections;
        _log = log;
        _graph = graph;
        _clock = clock;
        _logger = logger;
        _loop = Task.Run(LoopAsync);
    }

    public RefusalFold Refusals { get; }

    public EntryQueue Entries { get; }

    public async Task<Result<T>> WriteAsync<T>(
        Func<WriteSession, CancellationToken, Task<Result<T>>> work,
        CancellationToken cancellationToken
    )
    {
        var unit = new Unit<T>(work, cancellationToken);
        await _queue.Writer.WriteAsync(unit, cancellationToken);
        return await unit.Completion;
    }

    public async ValueTask DisposeAsync()
    {
        await Entries.DisposeAsync();
        _queue.Writer.TryComplete();
        await _loop;
        await CloseAsync();
    }

    private async Task LoopAsync()
    {
        var batch = new List<IUnit>(MaxBatch);
        while (await _queue.Reader.WaitToReadAsync())
        {
            batch.Clear();
            while (batch.Count < MaxBatch && _queue.Reader.TryRead(out var unit))
            {
                batch.Add(unit);
            }

            try
            {
                await CommitAsync(batch);
            }
            catch (Exception exception)
            {
                // Nothing of the batch was acknowledged: everybody learns of it, and the connection starts anew.
                await CloseAsync();
                foreach (var unit in batch)
                {
                    unit.Fail(exception);
                }
            }
        }
    }

    private async Task CommitAsync(List<IUnit> batch)
    {
        if (_connection is null)
        {
            _connection = _connections.OpenForWriting();
            _options = _connections.OptionsFor(_connection, owned: false);
        }

        var committed = new List<WriteSession>(batch.Count);
        await using (var transaction = _connection.BeginTransaction(deferred: false))
        {
            foreach (var unit in batch)
            {
                await RunAsync(unit, transaction, committed);
            }

            // Before the commit: nothing that can fail may stand between it and the word that the change is durable.
            await (_db?.Database.UseTransactionAsync(null) ?? Task.CompletedTask);
            await transaction.CommitAsync();
        }

        foreach (var session in committed)
        {
            session.Committed(_logger);
        }

        foreach (var unit in batch)
        {
            unit.Acknowledge();
        }
    }

    private async Task RunAsync(IUnit unit, SqliteTransaction transaction, List<WriteSession> done)
    {
        const string savepoint = "unit";
        _now = WriteSession.TimeOf(_clock);
        await transaction.SaveAsync(savepoint);
        var db = await ContextAsync(transaction);
        var session = new WriteSession(db, _now, _log, _graph);
        if (await unit.TryRunAsync(session, UnitTimeout))
        {
            done.Add(session);
            db.ChangeTracker.Clear();
        }
        else
        {
            await transaction.RollbackAsync(savepoint);
            await DropContextAsync();
        }

        await transaction.ReleaseAsync(savepoint);
    }

    // One context serves unit after unit, each with nothing tracked; one that saw a failure is not used again.
    private async Task<GovernanceDb> ContextAsync(SqliteTransaction transaction)
    {
        if (_db is null)
        {
            _db = new GovernanceDb(_options!);
            _db.Database.AutoSavepointsEnabled = false;
            _db.StampAdded(() => _now);
        }

        if (_db.Database.CurrentTransaction is null)
        {
            await _db.Database.UseTransactionAsync(transaction);
        }

        return _db;
    }

    private async Task DropContextAsync()
    {
        if (_db is { } db)
        {
            _db = null;
            await db.DisposeAsync();
        }
    }

    private async Task CloseAsync()
    {
        await DropContextAsync();
        if (_connection is { } connection)
        {
            _connection = null;
            _options = null;
            await connection.DisposeAsync();
        }
    }

    private interface IUnit
    {
        Task<bool> TryRunAsync(WriteSession session, TimeSpan timeout);

        void Acknowledge();

        void Fail(Exception exception);
    }

    private sealed class Unit<T>(
        Func<WriteSession, CancellationToken, Task<Result<T>>> work,
        CancellationToken cancellationToken
    ) : IUnit
    {
        private readonly TaskCompletionSource<Result<T>> _completion = new(
            TaskCreationOptions.RunContinuationsAsynchronously
        );

        private Result<T> _result;
        private Exception? _exception;

        public Task<Result<T>> Completion => _completion.Task;

        public async Task<bool> TryRunAsync(WriteSession session, TimeSpan timeout)
        {
            try
            {
                using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                limited.CancelAfter(timeout);
                limited.Token.ThrowIfCancellationRequested();
                _result = await work(session, limited.Token);
                if (_result.Ok)
                {
                    await session.Db.SaveChangesAsync(limited.Token);
                }

                return _result.Ok;
            }
            catch (Exception exception)
            {
                _exception = exception;
                return false;
            }
        }

        public void Acknowledge()
        {
            if (_exception is null)
            {
                _completion.TrySetResult(_result);
            }
            else
            {
                _completion.TrySetException(_exception);
            }
        }

        public void Fail(Exception exception) => _completion.TrySetException(_exception ?? exception);
    }
}
