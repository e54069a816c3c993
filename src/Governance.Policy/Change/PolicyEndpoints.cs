using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Web;
using Governance.Policy.Engine;
using Governance.Policy.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace Governance.Policy.Change;

/// <summary><c>/api/v1/policies</c>: which texts are and were in force, and proposals of new ones.</summary>
internal static class PolicyEndpoints
{
    // A policy of 256 KiB, escaped.
    private const int MaxBody = 1 << 21;
    private const int MaxPage = 200;
    private const string At = "/api/v1/policies/{name}/proposals";

    private static readonly Failure BadBody = Failure.Invalid(
        "policy.bad_request",
        "Send {text, reason} and perhaps activeFrom, a time such as 2026-01-31T12:00:00Z."
    );

    public static void Map(IEndpointRouteBuilder routes)
    {
        var policies = routes.MapGroup("").WithTags("Policies");
        var read = policies.MapGroup("").RequirePermission(Permissions.PolicyRead, everywhere: true);
        read.MapGet("/api/v1/policies", ListAsync);
        read.MapGet("/api/v1/policies/{name}", TextAsync);
        read.MapGet(At, ProposalsAsync);
        read.MapGet($"{At}/{{id:guid}}", ProposalAsync);
        var manage = policies.MapGroup("").RequirePermission(Permissions.PolicyManage, everywhere: true);
        manage.MapPost(At, ProposeAsync);
        manage.MapPost(
            $"{At}/{{id:guid}}/approve",
            async (HttpContext context, string name, Guid id, Proposals proposals) =>
                Answer(context, await proposals.ApproveAsync(context.GetActor(), name, id, context.RequestAborted))
        );
        manage.MapPost(
            $"{At}/{{id:guid}}/reject",
            async (HttpContext context, string name, Guid id, Proposals proposals) =>
                Answer(context, await proposals.RejectAsync(context.GetActor(), name, id, context.RequestAborted))
        );
        manage.MapPost(
            $"{At}/{{id:guid}}/withdraw",
            async (HttpContext context, string name, Guid id, Proposals proposals) =>
                Answer(context, await proposals.WithdrawAsync(context.GetActor(), name, id, context.RequestAborted))
        );
    }

    private static async Task<IResult> ListAsync(
        HttpContext context,
        IDbContextFactory<GovernanceDb> databases,
        TimeProvider clock,
        long? after = null,
        int first = 100
    )
    {
        await using var db = await databases.CreateDbContextAsync(context.RequestAborted);
        var texts = db.Set<PolicyRow>().AsNoTracking();
        var inForce = await texts
            .Arrived(clock.GetUtcNow())
            .GroupBy(row => row.Name)
            .Select(rows => new { Name = rows.Key, Id = rows.Max(row => row.Id) })
            .ToDictionaryAsync(last => last.Name, last => last.Id, context.RequestAborted);
        var size = Math.Clamp(first, 1, MaxPage);
        var rows = await texts
            .Where(row => after == null || row.Id < after)
            .OrderByDescending(row => row.Id)
            .Take(size + 1)
            .Select(row => new PolicyRow
            {
                Id = row.Id,
                Name = row.Name,
                Digest = row.Digest,
                Editor = row.Editor,
                ActiveFrom = row.ActiveFrom,
                ProposalId = row.ProposalId,
            })
            .ToListAsync(context.RequestAborted);
        return Page(
            rows.Take(size).Select(row => View(row, inForce[row.Name])),
            rows.Count > size ? rows[size - 1].Id.ToString(CultureInfo.InvariantCulture) : null
        );
    }

    private static async Task<IResult> TextAsync(
        HttpContext context,
        string name,
        IDbContextFactory<GovernanceDb> databases,
        TimeProvider clock,
        string? sha256 = null
    )
    {
        await using var db = await databases.CreateDbContextAsync(context.RequestAborted);
        var texts = db.Set<PolicyRow>().AsNoTracking();
        var row =
            sha256 is null ? await texts.InForce(name, clock.GetUtcNow()).FirstOrDefaultAsync(context.RequestAborted)
            : Digest.TryParse(sha256, out var digest)
                ? await texts.Newest(name).FirstOrDefaultAsync(known => known.Digest == digest, context.RequestAborted)
            : null;
        if (row is null)
        {
            return Proposals.Unknown.ToProblem();
        }

        var view = View(row);
        view["text"] = row.Text;
        return Json(view);
    }

    private static async Task<IResult> ProposalsAsync(
        HttpContext context,
        string name,
        IDbContextFactory<GovernanceDb> databases,
        Guid? after = null,
        int first = 100
    )
    {
        await using var db = await databases.CreateDbContextAsync(context.RequestAborted);
        var size = Math.Clamp(first, 1, MaxPage);
        var rows = await db.Set<ProposalRow>()
            .AsNoTracking()
            .Where(row => row.Name == name && (after == null || row.Id < after))
            .OrderByDescending(row => row.Id)
            .Take(size + 1)
            .ToListAsync(context.RequestAborted);
        return Page(rows.Take(size).Select(View), rows.Count > size ? rows[size - 1].Id.ToString() : null);
    }

    private static async Task<IResult> ProposalAsync(
        HttpContext context,
        string name,
        Guid id,
        IDbContextFactory<GovernanceDb> databases
    )
    {
        await using var db = await databases.CreateDbContextAsync(context.RequestAborted);
        var row = await db.Set<ProposalRow>()
            .AsNoTracking()
            .FirstOrDefaultAsync(known => known.Id == id && known.Name == name, context.RequestAborted);
        if (row is null)
        {
            return Proposals.NoProposal.ToProblem();
        }

        var replaced = await db.Set<PolicyRow>()
            .Newest(name)
            .Where(known => known.Digest == row.Base)
            .Select(known => known.Text)
            .FirstAsync(context.RequestAborted);
        var view = View(row);
        view["text"] = row.Text;
        view["changes"] = new JsonArray([.. LineDiff.Of(replaced, row.Text).Select(line => (JsonNode)line)]);
        return Json(view);
    }

    private static async Task<IResult> ProposeAsync(HttpContext context, string name, Proposals proposals)
    {
        if (await ReadAsync(context) is not var (text, reason, activeFrom))
        {
            return BadBody.ToProblem();
        }

        var proposed = await proposals.ProposeAsync(
            context.GetActor(),
            name,
            text,
            reason,
            activeFrom,
            context.RequestAborted
        );
        return Answer(context, proposed, StatusCodes.Status201Created);
    }

    private static async Task<(string Text, string Reason, DateTimeOffset? ActiveFrom)?> ReadAsync(HttpContext context)
    {
        if (
            await context.ReadAtMostAsync(MaxBody) is not { } body
            || CanonicalJson.TryParse(body.Span) is not JsonObject input
            || input.Any(member => member.Key is not ("text" or "reason" or "activeFrom"))
            || Word(input["text"]) is not { } text
            || Word(input["reason"]) is not { } reason
        )
        {
            return null;
        }

        if (input["activeFrom"] is not { } time)
        {
            return (text, reason, null);
        }

        return DateTimeOffset.TryParseExact(
            Word(time),
            ["yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'"],
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal,
            out var activeFrom
        )
            ? (text, reason, activeFrom)
            : null;
    }

    private static string? Word(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static IResult Answer(HttpContext context, Result<ProposalRow> done, int status = StatusCodes.Status200OK)
    {
        if (done.Ok)
        {
            return Json(View(done.Value), status);
        }

        FailureResults.Challenge(context.Response, done.Failure);
        return done.Failure.ToProblem();
    }

    // What is older than the text in force is past, whether or not it ever was in force itself.
    private static JsonObject View(PolicyRow row, long inForce)
    {
        var view = View(row);
        view["state"] =
            row.Id == inForce ? "active"
            : row.Id > inForce ? "scheduled"
            : "past";
        return view;
    }

    private static JsonObject View(PolicyRow row) =>
        new()
        {
            ["name"] = row.Name,
            ["sha256"] = row.Digest.Hex,
            ["editor"] = row.Editor,
            ["proposal"] = row.ProposalId?.ToString(),
            ["activeFrom"] = Time(row.ActiveFrom),
        };

    private static JsonObject View(ProposalRow row) =>
        new()
        {
            ["id"] = row.Id.ToString(),
            ["name"] = row.Name,
            ["state"] = row.State.ToString().ToLowerInvariant(),
            ["sha256"] = row.Digest.Hex,
            ["base"] = row.Base.Hex,
            ["reason"] = row.Reason,
            ["activeFrom"] = Time(row.ActiveFrom),
            ["proposedBy"] = row.ProposedBy,
            ["proposedAt"] = Time(row.ProposedAt),
            ["decidedBy"] = row.DecidedBy,
            ["decidedAt"] = Time(row.DecidedAt),
        };

    private static string? Time(DateTimeOffset? time) =>
        time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    private static IResult Page(IEnumerable<JsonObject> items, string? next) =>
        Json(new JsonObject { ["items"] = new JsonArray([.. items]), ["nextToken"] = next });

    private static IResult Json(JsonObject body, int status = StatusCodes.Status200OK) =>
        Results.Content(body.ToJsonString(), "application/json", statusCode: status);
}
