using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Governance.Signing.Engine;
using Governance.Signing.Keys;
using Governance.Signing.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace Governance.Signing.Change;

/// <summary><c>/api/v1/keys</c>: which keys there are, what they signed, replacing and revoking them.</summary>
internal static class KeyEndpoints
{
    private const int MaxBody = 4096;
    private const int MaxPage = 200;
    private static readonly Failure BadBody = Failure.Invalid(
        "keys.bad_request",
        "Send {key, from, reason}: the key's id, a time such as 2026-01-31T12:00:00Z, and why."
    );

    public static void Map(IEndpointRouteBuilder routes)
    {
        var keys = routes.MapGroup("/api/v1/keys").WithTags("Keys");
        keys.MapGet("", List).RequirePermission(Permissions.Self);
        keys.MapGet("signatures", SignaturesAsync).RequirePermission(Permissions.AuditRead, everywhere: true);
        keys.MapPost("{name}/rotate", RotateAsync).RequirePermission(Permissions.KeysManage, everywhere: true);
        keys.MapPost("revoke", RevokeAsync).RequirePermission(Permissions.KeysManage, everywhere: true);
    }

    private static IResult List(KeyCatalogue catalogue, TimeProvider clock)
    {
        var now = clock.GetUtcNow();
        return Json(new JsonObject { ["items"] = new JsonArray([.. catalogue.All.Select(key => Of(key, now))]) });
    }

    private static async Task<IResult> SignaturesAsync(
        HttpContext context,
        IDbContextFactory<GovernanceDb> databases,
        IWriter writer,
        string? key = null,
        string? identity = null,
        DateTimeOffset? from = null,
        long after = 0,
        int first = 100
    )
    {
        if (key is null == identity is null)
        {
            return Failure
                .Invalid("keys.bad_query", "Ask for the signatures of a key or of an identity, one of them.")
                .ToProblem();
        }

        // What a person signed shows what they did.
        await context.BeginSensitiveReadAsync(
            writer,
            new LogEntry("signing.signatures_read", context.GetActor(), "log:signatures", LogOutcome.Begun)
            {
                Details = new JsonObject { ["filterSha256"] = Digest.Of(key ?? identity!).Hex },
            }
        );
        await using var db = await databases.CreateDbContextAsync(context.RequestAborted);
        var size = Math.Clamp(first, 1, MaxPage);
        // The issuer has a part in every signature for an identity, so its rows tell each of them once.
        var rows = await db.Set<SignatureUseRow>()
            .AsNoTracking()
            .Where(use =>
                use.Id > after
                && (key == null || use.KeyId == key)
                && (identity == null || (use.Identity == identity && use.Role == Authorities.IssuerName))
                && (from == null || use.At >= from)
            )
            .OrderBy(use => use.Id)
            .Take(size + 1)
            .ToListAsync(context.RequestAborted);
        return Json(
            new JsonObject
            {
                ["items"] = new JsonArray([.. rows.Take(size).Select(Of)]),
                ["nextToken"] = rows.Count > size ? rows[size - 1].Id.ToString(CultureInfo.InvariantCulture) : null,
            }
        );
    }

    private static async Task<IResult> RotateAsync(
        HttpContext context,
        string name,
        KeyChanges changes,
        TimeProvider clock
    )
    {
        var rotated = await changes.RotateAsync(context.GetActor(), name, context.RequestAborted);
        return rotated.Ok ? Json(Of(rotated.Value, clock.GetUtcNow())) : rotated.Failure.ToProblem();
    }

    private static async Task<IResult> RevokeAsync(HttpContext context, KeyChanges changes)
    {
        if (await ReadAsync(context) is not var (key, from, reason))
        {
            return BadBody.ToProblem();
        }

        var revoked = await changes.RevokeAsync(context.GetActor(), key, from, reason, context.RequestAborted);
        return revoked.Ok ? Json(new JsonObject { ["signatures"] = revoked.Value }) : revoked.Failure.ToProblem();
    }

    private static async Task<(string Key, DateTimeOffset From, string Reason)?> ReadAsync(HttpContext context)
    {
        return
            await context.ReadAtMostAsync(MaxBody) is { } body
            && Engine.Json.TryParse(body.Span).Exactly(["key", "from", "reason"]) is { } input
            && input["key"].Text() is { } key
            && input["reason"].Text() is { } reason
            && DateTimeOffset.TryParseExact(
                input["from"].Text(),
                ["yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'"],
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal,
                out var from
            )
            ? (key, from, reason)
            : null;
    }

    private static JsonObject Of(KnownKey key, DateTimeOffset now) =>
        new()
        {
            ["name"] = key.Generation.Name,
            ["number"] = key.Generation.Number,
            ["id"] = key.Id,
            ["publicKey"] = key.Pem,
            ["place"] = key.Place,
            ["createdAt"] = Time(key.CreatedAt),
            ["activeFrom"] = Time(
                key.Generation.ActiveFrom > key.CreatedAt ? key.Generation.ActiveFrom : key.CreatedAt
            ),
            ["end"] = Time(key.Generation.End),
            ["revokedFrom"] = Time(key.Generation.RevokedFrom),
            ["state"] =
                key.Generation.RevokedFrom is not null ? "revoked"
                : key.Generation.ActiveFrom > now ? "pending"
                : key.Generation.End is { } end && end <= now ? "retired"
                : "active",
        };

    private static JsonObject Of(SignatureUseRow use) =>
        new()
        {
            ["key"] = use.KeyId,
            ["role"] = use.Role,
            ["at"] = Time(use.At),
            ["subject"] = use.Subject,
            ["identity"] = use.Identity.Length == 0 ? null : use.Identity,
            ["bundle"] = use.Bundle.Hex,
        };

    private static string? Time(DateTimeOffset? time) =>
        time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    private static IResult Json(JsonObject body) => Results.Content(body.ToJsonString(), "application/json");
}
