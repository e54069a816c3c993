using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Registry.Contracts;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Governance.Registry.Upstream;

/// <summary>
/// The server behind the gateway follows what is decided here. What upstream gives an id is intended, made, read again and only
/// then written here; every other change is written here with a work row and made upstream before the caller is answered.
/// </summary>
internal sealed class Mirror(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    UpstreamClient client,
    LaneLocks locks,
    LaneWork work,
    UpstreamObjects objects,
    UpstreamFiles files,
    IOptions<RegistryOptions> options
)
{
    private const string Undone = "upstream.undone";
    private const int MaxRows = 500;
    private const int MaxAttempts = 20;
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<Guid, bool> _making = new();
    private readonly Channel<string> _wakes = Channel.CreateBounded<string>(
        new BoundedChannelOptions(4096) { FullMode = BoundedChannelFullMode.DropWrite }
    );

    public bool IsOn { get; } = options.Value.Upstream.IsOn;

    /// <summary>Lanes that a committed move left work in; what is lost here is found in the table.</summary>
    public ChannelReader<string> Wakes => _wakes.Reader;

    /// <summary>Files that upstream has.</summary>
    public UpstreamFiles Files { get; } = files;

    public ChangeCapture? Capture(WriteSession session) => IsOn ? new ChangeCapture(session.Db) : null;

    /// <summary>Has a model's move made upstream, inside the transaction of the move.</summary>
    public void Touch(WriteSession session, Guid modelId, Move move)
    {
        if (!IsOn)
        {
            return;
        }

        var (lane, touched) = (Lanes.OfModel(modelId), new Touched { Info = true });
        if (move.Kind == MoveKind.RenameModel)
        {
            touched.Names.Add(move.Version.Model);
        }

        session.Db.Add(ChangeCapture.Work(session, lane, touched));
        session.AfterCommit(() => _wakes.Writer.TryWrite(lane));
    }

    /// <summary>Waits until nothing of these lanes is pending; null when so.</summary>
    public async Task<Failure?> SettleAsync(IReadOnlyCollection<string> lanes, CancellationToken cancellationToken)
    {
        if (!IsOn || lanes.Count == 0)
        {
            return null;
        }

        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(TimeSpan.FromSeconds(options.Value.Upstream.AnswerSeconds));
        try
        {
            List<string> pending;
            await using (var db = await databases.CreateDbContextAsync(cancellationToken))
            {
                pending = await db.Set<UpstreamWorkRow>()
                    .Where(row => lanes.Contains(row.Lane))
                    .Select(row => row.Lane)
                    .Distinct()
                    .ToListAsync(cancellationToken);
            }

            // What holds other things is there before them.
            foreach (var lane in pending.Order(StringComparer.Ordinal))
            {
                if (await DrainAsync(lane, limited.Token) is { } failure)
                {
                    return failure;
                }
            }

            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return UpstreamFailures.Pending;
        }
    }

    public async Task<Failure?> SettleAsync(Move move, CancellationToken cancellationToken) =>
        IsOn ? await SettleAsync(await LanesOfAsync(move, cancellationToken), cancellationToken) : null;

    private async Task<List<string>> LanesOfAsync(Move move, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await LanesOfAsync(
            db,
            [move.Version.Model, move.Kind == MoveKind.RenameModel ? move.Target : move.Version.Model],
            cancellationToken
        );
    }

    private static async Task<List<string>> LanesOfAsync(
        GovernanceDb db,
        string[] names,
        CancellationToken cancellationToken
    )
    {
        var ids = await db.Set<ModelRow>()
            .Where(model => names.Contains(model.Name))
            .Select(model => model.Id)
            .ToListAsync(cancellationToken);
        return ids.ConvertAll(Lanes.OfModel);
    }

    /// <summary>Makes upstream what waits in a lane; null when nothing waits any more.</summary>
    public async Task<Failure?> DrainAsync(string lane, CancellationToken cancellationToken)
    {
        await using var turn = await locks.TakeAsync(lane, cancellationToken);
        while (true)
        {
            List<UpstreamWorkRow> rows;
            await using (var db = await databases.CreateDbContextAsync(cancellationToken))
            {
                rows = await db.Set<UpstreamWorkRow>()
                    .AsNoTracking()
                    .Where(row => row.Lane == lane)
                    .OrderBy(row => row.Id)
                    .Take(MaxRows)
                    .ToListAsync(cancellationToken);
            }

            if (rows.Count == 0)
            {
                return null;
            }

            var touched = new Touched();
            rows.ForEach(row => touched.Add(row.Touched));
            var made = await work.MakeAsync(lane, touched, cancellationToken);
            if (!made.Ok && made.Failure.Kind == FailureKind.Unavailable && rows.Max(row => row.Attempts) < MaxAttempts)
            {
                await PostponeAsync(rows, cancellationToken);
                return UpstreamFailures.Pending;
            }

            await EndAsync(lane, rows, touched, made, cancellationToken);
            if (!made.Ok)
            {
                return made.Failure;
            }
        }
    }

    // Counted only while upstream answers: a server that is down for a day must not make a change fail for good.
    private async Task PostponeAsync(List<UpstreamWorkRow> rows, CancellationToken cancellationToken)
    {
        var alive = await client.IsAliveAsync(cancellationToken);
        var ids = rows.ConvertAll(row => row.Id);
        await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                foreach (
                    var row in await session.Db.Set<UpstreamWorkRow>().Where(r => ids.Contains(r.Id)).ToListAsync(token)
                )
                {
                    row.Attempts += alive ? 1 : 0;
                    var wait = alive ? Math.Min(Math.Pow(2, row.Attempts) / 2, LongestWait.TotalSeconds) : 1;
                    row.DueMs = session.Now.ToUnixTimeMilliseconds() + (long)(wait * 1000);
                }

                return default(Unit);
            },
            cancellationToken
        );
    }

    private Task EndAsync(
        string lane,
        List<UpstreamWorkRow> rows,
        Touched touched,
        Result<Made> made,
        CancellationToken cancellationToken
    )
    {
        var ids = rows.ConvertAll(row => row.Id);
        // A registered model is compared as a whole again and again; of all else nothing would tell.
        var left =
            made.Ok ? made.Value.Left
            : lane.StartsWith(Lanes.Model, StringComparison.Ordinal) || touched.Repairs.Count > 0 ? []
            : [.. touched.Parts().Select(part => NotTaken.Of(lane, part, made.Failure))];
        return writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                session.Db.RemoveRange(
                    await session.Db.Set<UpstreamWorkRow>().Where(row => ids.Contains(row.Id)).ToListAsync(token)
                );
                if (!made.Ok || made.Value.Subject.Length > 0)
                {
                    var details = made.Ok ? made.Value.Details : new JsonObject { ["code"] = made.Failure.Code };
                    await session.LogAsync(
                        new LogEntry(
                            made.Ok ? "upstream.done" : "upstream.failed",
                            Actor.System,
                            made.Ok ? made.Value.Subject : lane,
                            made.Ok ? LogOutcome.Done : LogOutcome.Refused
                        )
                        {
                            Details = (JsonObject)details.DeepClone(),
                        },
                        token
                    );
                }

                foreach (var id in made.Ok ? made.Value.Repaired : [])
                {
                    if (
                        await session.Db.Set<UpstreamDriftRow>().FindAsync([Guid.ParseExact(id, "N")], token) is { } row
                    )
                    {
                        await Drift.CloseAsync(session, row, Actor.System, "repaired", token);
                    }
                }

                foreach (var difference in left)
                {
                    await Drift.OpenAsync(session, made.Ok ? made.Value.Model : "", difference, token);
                }

                return default(Unit);
            },
            cancellationToken
        );
    }

    /// <summary>Writes the intent, or finds the one that the same request left when its answer was lost.</summary>
    public async Task<(UpstreamIntentRow Intent, bool Again)> IntendAsync(
        WriteSession session,
        Actor actor,
        string kind,
        JsonObject body,
        CancellationToken cancellationToken
    )
    {
        var text = CanonicalJson.SerializeToString(body);
        var key = Digest.Of(Encoding.UTF8.GetBytes($"{kind}\n{actor.Id}\n{text}")).Hex;
        var now = session.Now.ToUnixTimeMilliseconds();
        var left = await session
            .Db.Set<UpstreamIntentRow>()
            .AsNoTracking()
            .Where(row => row.RequestKey == key)
            .ToListAsync(cancellationToken);
        if (left.Find(row => !_making.ContainsKey(row.Id)) is { } open)
        {
            return (open, true);
        }

        var intent = new UpstreamIntentRow
        {
            Id = Guid.CreateVersion7(session.Now),
            Kind = kind,
            RequestKey = key,
            ActorId = actor.Id,
            Body = text,
            CreatedMs = now,
        };
        session.Db.Add(intent);
        await session.LogAsync(Entry("upstream.intended", actor, intent, "", LogOutcome.Begun), cancellationToken);
        return (intent, false);
    }

    /// <summary>Intends, makes upstream, reads again, and writes here what upstream gave its id.</summary>
    public async Task<Result<JsonObject>> CreateAsync(Call call, Func<WriteSession, Task<Result<JsonObject>>> write)
    {
        var begun = await call.WriteAsync(write);
        if (!begun.Ok || call.Intent is not ({ } intent, var again))
        {
            return begun;
        }

        if (!_making.TryAdd(intent.Id, true))
        {
            return UpstreamFailures.Pending;
        }

        try
        {
            // The answer may be another gateway's to give: whoever asks again finds what came of it.
            await using var turn = await locks.TryTakeAsync(intent.Id, call.Token);
            if (turn is null || !await IsOpenAsync(intent, call.Token))
            {
                return UpstreamFailures.Pending;
            }

            var made = await MakeAsync(intent, again, call.Token);
            if (!made.Ok)
            {
                if (made.Failure.Kind != FailureKind.Unavailable)
                {
                    await EndAsync(intent, "upstream.failed", made.Failure.Code, LogOutcome.Refused, call.Token);
                }

                return made.Failure;
            }

            (call.Assigned, call.Made) = (made.Value, Intents.Lane(intent.Kind, made.Value));
            var written = await call.WriteAsync(async session =>
            {
                var result = await write(session);
                if (result.Ok)
                {
                    call.Made ??= await LaneOfMadeAsync(session, intent, call.Token);
                    await EndAsync(session, intent, "upstream.done", made.Value, LogOutcome.Done, call.Token);
                }

                return result;
            });
            // What was allowed a moment ago is not any more: upstream must not keep it.
            if (!written.Ok && written.Failure.Kind != FailureKind.Unavailable)
            {
                // While it cannot be taken away the intent stays open, and is ended by who reconciles.
                if (await objects.RemoveAsync(intent, made.Value, call.Token) is null)
                {
                    await EndAsync(intent, Undone, written.Failure.Code, LogOutcome.Refused, call.Token);
                }
            }

            return written;
        }
        finally
        {
            _making.TryRemove(intent.Id, out _);
        }
    }

    private async Task<bool> IsOpenAsync(UpstreamIntentRow intent, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<UpstreamIntentRow>().AnyAsync(row => row.Id == intent.Id, cancellationToken);
    }

    private async Task<Result<string>> MakeAsync(
        UpstreamIntentRow intent,
        bool again,
        CancellationToken cancellationToken
    )
    {
        if (intent.Kind is Intents.Model or Intents.Version)
        {
            // A model that had the name before may still have to go, or to be there first.
            List<string> before;
            await using (var db = await databases.CreateDbContextAsync(cancellationToken))
            {
                before = await LanesOfAsync(db, [(string)JsonNode.Parse(intent.Body)!["name"]!], cancellationToken);
            }

            if (await SettleAsync(before, cancellationToken) is { Kind: FailureKind.Unavailable } pending)
            {
                return pending;
            }
        }

        return await objects.MakeAsync(intent, again, cancellationToken);
    }

    private static async Task<string?> LaneOfMadeAsync(
        WriteSession session,
        UpstreamIntentRow intent,
        CancellationToken cancellationToken
    )
    {
        var name = (string)JsonNode.Parse(intent.Body)!["name"]!;
        return await VersionStore.ModelAsync(session.Db, name, cancellationToken) is { } model
            ? Lanes.OfModel(model.Id)
            : null;
    }

    /// <summary>
    /// Ends what a crash or a lost answer left open: what upstream made is taken away there again, and what it did not make is
    /// said so. Whoever asked was not told that it succeeded.
    /// </summary>
    public async Task ReconcileAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        List<UpstreamIntentRow> open;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            var until = before.ToUnixTimeMilliseconds();
            open = await db.Set<UpstreamIntentRow>()
                .AsNoTracking()
                .Where(intent => intent.CreatedMs <= until)
                .OrderBy(intent => intent.CreatedMs)
                .Take(MaxRows)
                .ToListAsync(cancellationToken);
        }

        foreach (var intent in open.Where(intent => !_making.ContainsKey(intent.Id)))
        {
            if (!_making.TryAdd(intent.Id, true))
            {
                continue;
            }

            try
            {
                await using var turn = await locks.TryTakeAsync(intent.Id, cancellationToken);
                if (turn is null || !await IsOpenAsync(intent, cancellationToken))
                {
                    continue;
                }

                var found = await objects.FindAsync(intent, cancellationToken);
                if (
                    !found.Ok
                    || (found.Value is { } id && await objects.RemoveAsync(intent, id, cancellationToken) is not null)
                )
                {
                    // One that cannot be ended must not keep the others open.
                    if (await client.IsAliveAsync(cancellationToken))
                    {
                        continue;
                    }

                    return;
                }

                var outcome = found.Value is null ? "upstream.not_made" : Undone;
                await EndAsync(intent, outcome, found.Value ?? "", LogOutcome.Refused, cancellationToken);
            }
            finally
            {
                _making.TryRemove(intent.Id, out _);
            }
        }
    }

    /// <summary>Brings files that only upstream has, before a version freezes its source; null when all are here.</summary>
    public Task<Failure?> FetchAsync(Call call, ModelSource source) =>
        IsOn ? Files.FetchAsync(call, source) : Task.FromResult<Failure?>(null);

    private Task EndAsync(
        UpstreamIntentRow intent,
        string kind,
        string what,
        LogOutcome outcome,
        CancellationToken cancellationToken
    ) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await EndAsync(session, intent, kind, what, outcome, token);
                return default(Unit);
            },
            cancellationToken
        );

    private async Task EndAsync(
        WriteSession session,
        UpstreamIntentRow intent,
        string kind,
        string what,
        LogOutcome outcome,
        CancellationToken cancellationToken
    )
    {
        if (await session.Db.Set<UpstreamIntentRow>().FindAsync([intent.Id], cancellationToken) is { } row)
        {
            session.Db.Remove(row);
        }

        // A version that is taken away again leaves a tag on the logged model that it came from.
        if (kind == Undone && (string?)JsonNode.Parse(intent.Body)!["model_id"] is { } from)
        {
            var lane = Lanes.OfLoggedModel(from);
            session.Db.Add(ChangeCapture.Work(session, lane, new Touched { Tags = { RegisterVersion.ModelVersions } }));
            session.AfterCommit(() => _wakes.Writer.TryWrite(lane));
        }

        await session.LogAsync(Entry(kind, Actor.System, intent, what, outcome), cancellationToken);
    }

    private static LogEntry Entry(
        string kind,
        Actor actor,
        UpstreamIntentRow intent,
        string what,
        LogOutcome outcome
    ) =>
        new(kind, actor, $"intent:{intent.Id:N}", outcome)
        {
            Details = new JsonObject
            {
                ["kind"] = intent.Kind,
                ["request"] = Digest.Of(Encoding.UTF8.GetBytes(intent.Body)).Hex,
                ["id"] = what,
            },
        };
}
