using System.Text.Json.Serialization;
using Governance.Audit.Contracts;
using Governance.Audit.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Http;

namespace Governance.Audit.ReadLog;

/// <summary>An entry as the API shows it: enough to recompute its leaf, unless its salt was erased by the entry that is named.</summary>
internal sealed record EntryView(string Id, long? Position, string Entry, string? Salt)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Guid? ErasedBy { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public System.Text.Json.Nodes.JsonObject? Personal { get; init; }
}

/// <summary>A page of entries, newest first.</summary>
internal sealed record EntriesView(IReadOnlyList<EntryView> Entries, string? NextToken);

/// <summary>An inclusion proof as the API shows it, and as receipts carry it.</summary>
internal sealed record ProofView(long LeafIndex, Digest LeafHash, IReadOnlyList<Digest> Hashes, string Checkpoint);

/// <summary>A consistency proof as the API shows it.</summary>
internal sealed record ConsistencyView(long From, long To, IReadOnlyList<Digest> Hashes);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(EntriesView))]
[JsonSerializable(typeof(ProofView))]
[JsonSerializable(typeof(ConsistencyView))]
internal sealed partial class AuditJson : JsonSerializerContext;

/// <summary>
/// Hands out entries with their salts: a sensitive read, so its own entry is durable before the first byte leaves and its
/// outcome follows. Filters may hold what the reader typed, so the log keeps only their digest.
/// </summary>
internal sealed class ReadEntries(IAuditLog log, ILogReaders readers, IWriter writer)
{
    private const int MaxFilterLength = 400;

    public async Task<Result<EntriesView>> RunAsync(Actor actor, AuditQuery query, CancellationToken cancellationToken)
    {
        if (Validate(query) is { } invalid)
        {
            return invalid;
        }

        if (await RefuseAsync(actor, cancellationToken) is { } refused)
        {
            return refused;
        }

        await writer.LogAsync(Entry(actor, query, LogOutcome.Begun), cancellationToken);
        var page = await log.QueryAsync(query, cancellationToken);
        return new EntriesView([.. page.Items.Select(View)], page.NextToken);
    }

    /// <summary>Records how the read ended; runs even when the reader hung up.</summary>
    public Task EndAsync(Actor actor, AuditQuery query, int count, bool complete)
    {
        var entry = Entry(actor, query, LogOutcome.Done);
        entry.Details["count"] = count;
        entry.Details["complete"] = complete;
        return writer.LogAsync(entry, CancellationToken.None);
    }

    /// <summary>Refuses, durably, an actor who may not read the whole log; null when the actor may.</summary>
    public async Task<Failure?> RefuseAsync(Actor actor, CancellationToken cancellationToken)
    {
        if (await readers.MayReadAsync(actor, cancellationToken))
        {
            return null;
        }

        await writer.LogAsync(new LogEntry("audit.read", actor, "log:audit", LogOutcome.Refused), cancellationToken);
        return Failure.Denied("audit.denied", "Reading the log needs audit:read on everything.");
    }

    private static Failure? Validate(AuditQuery query) =>
        query.First is < 1 or > AuditLog.MaxPage ? Failure.Invalid("audit.bad_page", "Ask for 1 to 200 entries.")
        : query.After is { } after && !AuditLog.TryReadToken(after, out _)
            ? Failure.Invalid("audit.bad_token", "The continuation token is not one of this log.")
        : Texts(query).Any(text => text is { Length: 0 or > MaxFilterLength })
            ? Failure.Invalid("audit.bad_filter", "A filter is empty or longer than 400 characters.")
        : query.Outcome is not (null or "done" or "refused" or "begun")
            ? Failure.Invalid("audit.bad_filter", "The outcome is one of done, refused, begun.")
        : null;

    private static string?[] Texts(AuditQuery query) =>
        [query.Subject, query.KindPrefix, query.ActorId, query.Outcome, query.After, query.Id?.ToString()];

    private static LogEntry Entry(Actor actor, AuditQuery query, LogOutcome outcome) =>
        new("audit.read", actor, "log:audit", outcome)
        {
            Details = new() { ["first"] = query.First, ["filterSha256"] = FilterDigest(query).Hex },
        };

    private static Digest FilterDigest(AuditQuery query) =>
        Digest.Of(
            CanonicalJson.Serialize(
                new System.Text.Json.Nodes.JsonArray([
                    .. Texts(query).Select(text => (System.Text.Json.Nodes.JsonNode?)text),
                ])
            )
        );

    private static EntryView View(AuditEntry entry) =>
        new(
            entry.Id.ToString(),
            entry.Position,
            entry.Canonical,
            entry.Salt.Length == 0 ? null : Convert.ToBase64String(entry.Salt)
        )
        {
            ErasedBy = entry.ErasedBy,
            Personal = entry.Personal,
        };
}

/// <summary>The routes of the log.</summary>
internal static class LogEndpoints
{
    private const string TileCache = "public, max-age=31536000, immutable";

    public static async Task<IResult> EntriesAsync(
        HttpContext context,
        ReadEntries read,
        Guid? id,
        string? subject,
        string? kind,
        string? actor,
        string? outcome,
        string? after,
        int? first,
        CancellationToken cancellationToken
    )
    {
        var query = new AuditQuery
        {
            Id = id,
            Subject = subject,
            KindPrefix = kind,
            ActorId = actor,
            Outcome = outcome,
            After = after,
            First = first ?? 50,
        };
        var reader = context.GetActor();
        var result = await read.RunAsync(reader, query, cancellationToken);
        if (!result.Ok)
        {
            return result.Failure.ToProblem();
        }

        var complete = false;
        try
        {
            await context.Response.WriteAsJsonAsync(
                result.Value,
                AuditJson.Default.EntriesView,
                cancellationToken: cancellationToken
            );
            complete = true;
        }
        finally
        {
            await read.EndAsync(reader, query, result.Value.Entries.Count, complete);
        }

        return Results.Empty;
    }

    public static async Task<IResult> ProofAsync(
        HttpContext context,
        ReadEntries read,
        IAuditLog log,
        Guid id,
        CancellationToken cancellationToken
    )
    {
        if (await read.RefuseAsync(context.GetActor(), cancellationToken) is { } refused)
        {
            return refused.ToProblem();
        }

        return await log.ProveAsync(id, cancellationToken) is { } proof
            ? Results.Json(
                new ProofView(proof.LeafIndex, proof.LeafHash, proof.Hashes, proof.Checkpoint),
                AuditJson.Default.ProofView
            )
            : Failure
                .NotFound("audit.no_proof", "No sequenced entry has that id; a new one is sequenced within a second.")
                .ToProblem();
    }

    public static async Task<IResult> ConsistencyAsync(
        IAuditLog log,
        long from,
        long to,
        CancellationToken cancellationToken
    )
    {
        var result = await log.ProveConsistencyAsync(from, to, cancellationToken);
        return result.Ok
            ? Results.Json(
                new ConsistencyView(result.Value.From, result.Value.To, result.Value.Hashes),
                AuditJson.Default.ConsistencyView
            )
            : result.Failure.ToProblem();
    }

    public static async Task<IResult> CheckpointAsync(
        HttpContext context,
        IAuditLog log,
        CancellationToken cancellationToken
    ) => Note(context, await log.CheckpointAsync(cancellationToken), "Nothing is logged yet.");

    public static async Task<IResult> CosignedAsync(
        HttpContext context,
        IAuditLog log,
        CancellationToken cancellationToken
    ) => Note(context, await log.CosignedCheckpointAsync(cancellationToken), "No checkpoint is cosigned.");

    private static IResult Note(HttpContext context, string? note, string absent)
    {
        context.Response.Headers.CacheControl = "no-cache";
        return note is not null
            ? Results.Text(note, "text/plain; charset=utf-8")
            : Failure.NotFound("audit.no_checkpoint", absent).ToProblem();
    }

    public static async Task<IResult> TileAsync(
        HttpContext context,
        IAuditLog log,
        string level,
        string rest,
        CancellationToken cancellationToken
    )
    {
        if (await log.TileAsync(level, rest, cancellationToken) is not { } tile)
        {
            return Failure.NotFound("audit.no_tile", "No such tile lies under the newest checkpoint.").ToProblem();
        }

        context.Response.Headers.CacheControl = TileCache;
        return Results.Bytes(tile, "application/octet-stream");
    }
}
