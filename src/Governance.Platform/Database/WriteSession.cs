using Governance.Platform.Graph;
using Governance.Platform.Jobs;
using Governance.Platform.Logging;
using Microsoft.Extensions.Logging;

namespace Governance.Platform.Database;

/// <summary>One unit of change: rows, its log entries, its graph edges and its follow-up jobs commit together.</summary>
public sealed partial class WriteSession
{
    private const int JobBatch = 500;
    private readonly ILogAppender _log;
    private readonly IGraphWriter _graph;
    private readonly List<Action> _afterCommit = [];

    /// <summary>Made by the writer only.</summary>
    internal WriteSession(GovernanceDb db, DateTimeOffset now, ILogAppender log, IGraphWriter graph)
    {
        Db = db;
        Now = now;
        _log = log;
        _graph = graph;
    }

    /// <summary>The tracked context; call <c>SaveChangesAsync</c> before reading back what the unit itself wrote.</summary>
    public GovernanceDb Db { get; }

    /// <summary>The time of this unit, UTC, whole milliseconds.</summary>
    public DateTimeOffset Now { get; }

    /// <summary>Appends a log entry on the same transaction; returns its id.</summary>
    public async Task<Guid> LogAsync(LogEntry entry, CancellationToken cancellationToken) =>
        (await LogAsync([entry], cancellationToken))[0];

    /// <summary>Appends log entries on the same transaction; returns their ids in the same order.</summary>
    public Task<IReadOnlyList<Guid>> LogAsync(
        IReadOnlyCollection<LogEntry> entries,
        CancellationToken cancellationToken
    ) => _log.AppendAsync(Db, entries, Now, cancellationToken);

    /// <summary>Records a lineage edge on the same transaction, justified by a log entry. Recording it twice changes nothing.</summary>
    public Task LinkAsync(GraphEdge edge, Guid entryId, CancellationToken cancellationToken) =>
        _graph.LinkAsync(Db, edge, entryId, Now, cancellationToken);

    /// <summary>Adds a durable job. A job of the same kind and key that still waits absorbs this one.</summary>
    public Task EnqueueAsync(JobRequest request, CancellationToken cancellationToken) =>
        EnqueueAsync([request], cancellationToken);

    /// <summary>Adds durable jobs with one look at those that wait per 500 of them.</summary>
    public async Task EnqueueAsync(IReadOnlyCollection<JobRequest> requests, CancellationToken cancellationToken)
    {
        foreach (var batch in requests.Chunk(JobBatch))
        {
            var keys = batch.Select(request => request.Key).Distinct().ToList();
            var waiting = (await Db.WaitingAsync(keys, cancellationToken)).ToHashSet();
            await Db.InsertAsync(
                [
                    .. batch
                        .Where(request => waiting.Add((request.Kind, request.Key)))
                        .Select(request => new JobRow
                        {
                            Id = Guid.CreateVersion7(Now),
                            Kind = request.Kind,
                            Key = request.Key,
                            Payload = request.Payload,
                            Outbound = request.Outbound,
                            DueAt = Now + request.Wait,
                            CreatedAt = Now,
                        }),
                ],
                cancellationToken
            );
        }

        foreach (var outbound in requests.Select(request => request.Outbound).Distinct())
        {
            AfterCommit(() => JobSignal.Wake(outbound));
        }
    }

    /// <summary>Runs an action once the commit is durable; never for a unit that was rolled back.</summary>
    public void AfterCommit(Action action) => _afterCommit.Add(action);

    /// <summary>The time of a unit that begins now.</summary>
    internal static DateTimeOffset TimeOf(TimeProvider clock) =>
        DateTimeOffset.FromUnixTimeMilliseconds(clock.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>Runs what waits for the durable commit. What goes wrong here must not tell anybody that the change failed.</summary>
    internal void Committed(ILogger logger)
    {
        foreach (var action in _afterCommit)
        {
            try
            {
                action();
            }
            catch (Exception exception)
            {
                AfterCommitFailed(logger, exception.GetType().Name);
            }
        }
    }

    [LoggerMessage(1006, LogLevel.Error, "A change was committed, but what follows it failed: {ExceptionType}")]
    private static partial void AfterCommitFailed(ILogger logger, string exceptionType);
}
