using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Contracts;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Imports;

/// <summary>The source cannot be asked any more, or the import was cancelled: the slice ends and leaves its place as it is.</summary>
internal sealed class ImportInterruptedException(Failure? failure) : Exception(failure?.Code)
{
    /// <summary>Null when it was cancelled.</summary>
    public Failure? Failure { get; } = failure;
}

/// <summary>
/// One slice of an import: who it is for, where it reads, how it writes. Units write what no role was asked for, so an import
/// asks for a permission of its own; they stop as soon as the import is no longer running.
/// </summary>
internal sealed class ImportUnits(
    RegistryPorts ports,
    RemoteMlflow remote,
    ImportRow import,
    CancellationToken fileDeadline
)
{
    /// <summary>How many objects of a page are brought at a time.</summary>
    public const int Together = 6;
    public const string TagPrefix = "governance.imported.";
    private const int MaxText = 100_000;
    private static readonly TimeSpan Budget = TimeSpan.FromSeconds(45);
    private static readonly Dictionary<string, RoleDefinition> NoRoles = [];

    private const int MaxPages = 200_000;

    private readonly long _begun = ports.Clock.GetTimestamp();
    private readonly Dictionary<string, (int Seen, int Present)> _counted = [];
    private readonly Rights _rights = new(new Actor(import.StartedByKind, import.StartedBy), [], NoRoles);

    public RegistryPorts Ports => ports;

    public RemoteMlflow Remote => remote;

    /// <summary>When a file must have arrived: the job that this slice is has a time limit.</summary>
    public CancellationToken FileDeadline => fileDeadline;

    public ImportRow Import => import;

    /// <summary>Whether the slice has had its time: others wait for the worker.</summary>
    public bool Spent => ports.Clock.GetElapsedTime(_begun) > Budget;

    public async Task<Result<T>> WriteAsync<T>(
        Func<Call, WriteSession, Task<Result<T>>> work,
        CancellationToken cancellationToken
    ) =>
        await ports.Writer.WriteAsync(
            async (session, token) =>
            {
                var row = await session.Db.Set<ImportRow>().SingleAsync(found => found.Id == import.Id, token);
                return row.State == ImportState.Running
                    ? await work(new Call(ports, _rights, Args.Empty, token), session)
                    : throw new ImportInterruptedException(null);
            },
            cancellationToken
        );

    /// <summary>Counts what the present page showed; kept when the page is done with.</summary>
    public void Count(string kind, int seen, int present)
    {
        lock (_counted)
        {
            var (before, had) = _counted.GetValueOrDefault(kind);
            _counted[kind] = (before + seen, had + present);
        }
    }

    /// <summary>Commits where the import stands, with what the page that ended there showed.</summary>
    public async Task MoveOnAsync(ImportPhase phase, string at, string? pageToken, CancellationToken cancellationToken)
    {
        var moved = await WriteAsync<Unit>(
            async (call, session) =>
            {
                var row = await session.Db.Set<ImportRow>().SingleAsync(found => found.Id == import.Id, call.Token);
                if (row.Pages >= MaxPages)
                {
                    return RemoteFailures.Endless;
                }

                (row.Phase, row.At, row.PageToken) = (phase, at, pageToken);
                (row.StopCode, row.StopMessage) = ("", "");
                row.Pages++;
                row.UpdatedMs = session.Now.ToUnixTimeMilliseconds();
                foreach (var (kind, (seen, present)) in _counted)
                {
                    var count = await session.Db.Set<ImportCountRow>().FindAsync([import.Id, kind], call.Token);
                    if (count is null)
                    {
                        count = new ImportCountRow { ImportId = import.Id, Kind = kind };
                        session.Db.Add(count);
                    }

                    count.Seen += seen;
                    count.Present += present;
                }

                return default(Unit);
            },
            cancellationToken
        );
        if (!moved.Ok)
        {
            throw new ImportInterruptedException(moved.Failure);
        }

        _counted.Clear();
        (import.Phase, import.At, import.PageToken) = (phase, at, pageToken);
    }

    /// <summary>Settles one object: it is here, or the list of failures says why not.</summary>
    public async Task SettleAsync(string kind, string id, Failure? failure, CancellationToken cancellationToken)
    {
        if (failure is { Kind: FailureKind.Unavailable })
        {
            throw new ImportInterruptedException(failure);
        }

        var key = Key(id);
        await using (var db = await ports.Databases.CreateDbContextAsync(cancellationToken))
        {
            var known = await db.Set<ImportFailureRow>().FindAsync([import.Id, kind, key], cancellationToken);
            if (known?.Code == failure?.Code)
            {
                return;
            }
        }

        await WriteAsync<Unit>(
            async (call, session) =>
            {
                var row = await session.Db.Set<ImportFailureRow>().FindAsync([import.Id, kind, key], call.Token);
                if (failure is null)
                {
                    session.Db.RemoveRange(row is null ? [] : [row]);
                }
                else if (row is null)
                {
                    session.Db.Add(
                        new ImportFailureRow
                        {
                            ImportId = import.Id,
                            Kind = kind,
                            RemoteId = key,
                            Code = failure.Code,
                            Message = failure.Message,
                        }
                    );
                }
                else
                {
                    (row.Code, row.Message) = (failure.Code, failure.Message);
                }

                return default(Unit);
            },
            cancellationToken
        );
    }

    /// <summary>Which of some objects came from this source before.</summary>
    public async Task<Dictionary<string, ImportedRow>> KnownAsync(
        string kind,
        IReadOnlyCollection<string> ids,
        CancellationToken cancellationToken
    )
    {
        await using var db = await ports.Databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<ImportedRow>()
            .AsNoTracking()
            .Where(row => row.Source == import.Source && row.Kind == kind && ids.Contains(row.RemoteId))
            .ToDictionaryAsync(row => row.RemoteId, cancellationToken);
    }

    /// <summary>Writes down where an object came from.</summary>
    public async Task<ImportedRow> MarkAsync(
        Call call,
        WriteSession session,
        string kind,
        string remoteId,
        ImportedState state
    )
    {
        var row = await session.Db.Set<ImportedRow>().FindAsync([import.Source, kind, remoteId], call.Token);
        if (row is null)
        {
            row = new ImportedRow
            {
                Source = import.Source,
                Kind = kind,
                RemoteId = remoteId,
            };
            session.Db.Add(row);
        }

        (row.State, row.ImportId) = (state, import.Id);
        return row;
    }

    /// <summary>Brings the objects of a page, several at a time; false when the slice's time ended before all were settled.</summary>
    public async Task<bool> EachAsync<T>(
        IEnumerable<T> items,
        Func<T, CancellationToken, Task> bring,
        CancellationToken cancellationToken
    )
    {
        foreach (var batch in items.Chunk(Together))
        {
            if (Spent)
            {
                return false;
            }

            // All are awaited before the first failure is passed on: none goes on unseen.
            await Task.WhenAll(batch.Select(item => bring(item, cancellationToken)));
        }

        return true;
    }

    /// <summary>Times of a stranger: not before 1970, not after now.</summary>
    public static long Past(long? milliseconds, DateTimeOffset now) =>
        Math.Clamp(milliseconds ?? now.ToUnixTimeMilliseconds(), 0, now.ToUnixTimeMilliseconds());

    /// <summary>Tags or params as they are kept here; what looks like a statement of an import is not taken from the source.</summary>
    public static Result<List<(string Key, string Value)>> Labels(IReadOnlyList<(string Key, string Value)> labels) =>
        labels.Any(label =>
            label.Key.Length is 0 or > 250
            || !Engine.RegistryNames.IsPlainText(label.Key)
            || label.Value.Length > MaxText
        )
            ? ImportFailures.TooLong
            : labels.Where(label => !label.Key.StartsWith(TagPrefix, StringComparison.OrdinalIgnoreCase)).ToList();

    /// <summary>A name of the source as key of a row: bounded, and still of one object only.</summary>
    public static string Key(string id) =>
        id.Length <= 300 && !id.Contains('\0', StringComparison.Ordinal)
            ? id
            : $"{Engine.RegistryNames.Quote(id)}…{Digest.Of(System.Text.Encoding.UTF8.GetBytes(id)).Hex[..16]}";
}
