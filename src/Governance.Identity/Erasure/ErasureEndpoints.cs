using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Governance.Identity.Erasure;

internal sealed record GroundInput(string Ground);

internal sealed record ReasonInput(string Reason);

internal sealed record ErasureAsked(Guid Confirmation);

internal sealed record HoldSet(Guid Id);

internal sealed record HoldList(IReadOnlyList<HoldView> Items);

/// <summary>The HTTP API about erasures and legal holds.</summary>
internal static class ErasureEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        var subjects = routes.MapGroup("/api/v1/subjects/{id}").WithTags("identity");
        var manage = subjects.MapGroup("").RequirePermission(Permissions.IdentityManage, everywhere: true);
        manage.MapGet("/erasure", FindAsync);
        manage.MapPost("/erasure", AskAsync);
        var holds = subjects.MapGroup("/holds").RequirePermission(Permissions.SubjectHold, everywhere: true);
        holds.MapGet("", ListAsync);
        holds.MapPost("", SetAsync);
        holds.MapPost("/{hold:guid}/release", ReleaseAsync);
    }

    private static async Task<IResult> FindAsync(
        HttpContext context,
        string id,
        Administration administration,
        Erasures erasures,
        CancellationToken cancellationToken
    )
    {
        var subject = Administration.Subject(id);
        if (await administration.CheckReadAsync(context.GetActor(), subject, cancellationToken) is { } refused)
        {
            return refused.ToProblem();
        }

        return await erasures.FindAsync(id, cancellationToken) is { } found
            ? Results.Json(found, IdentityJson.Default.ErasureView)
            : Failure.NotFound("identity.no_subject", "There is no such person.").ToProblem();
    }

    private static async Task<IResult> AskAsync(
        HttpContext context,
        string id,
        Erasures erasures,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, IdentityJson.Default.GroundInput, cancellationToken);
        if (!input.Ok)
        {
            return input.Failure.ToProblem();
        }

        var asked = await erasures.AskAsync(context.GetActor(), id, input.Value.Ground, cancellationToken);
        return asked.Ok
            ? Results.Json(
                new ErasureAsked(asked.Value),
                IdentityJson.Default.ErasureAsked,
                statusCode: StatusCodes.Status202Accepted
            )
            : context.Refuse(asked.Failure);
    }

    private static async Task<IResult> ListAsync(
        HttpContext context,
        string id,
        LegalHolds holds,
        IWriter writer,
        CancellationToken cancellationToken
    )
    {
        await context.BeginSensitiveReadAsync(
            writer,
            new LogEntry("identity.holds_read", context.GetActor(), Administration.Subject(id), LogOutcome.Begun)
        );
        return Results.Json(new HoldList(await holds.ListAsync(id, cancellationToken)), IdentityJson.Default.HoldList);
    }

    private static async Task<IResult> SetAsync(
        HttpContext context,
        string id,
        LegalHolds holds,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, IdentityJson.Default.ReasonInput, cancellationToken);
        if (!input.Ok)
        {
            return input.Failure.ToProblem();
        }

        var set = await holds.SetAsync(context.GetActor(), id, input.Value.Reason, cancellationToken);
        return set.Ok
            ? Results.Json(
                new HoldSet(set.Value),
                IdentityJson.Default.HoldSet,
                statusCode: StatusCodes.Status201Created
            )
            : context.Refuse(set.Failure);
    }

    private static async Task<IResult> ReleaseAsync(
        HttpContext context,
        string id,
        Guid hold,
        LegalHolds holds,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, IdentityJson.Default.ReasonInput, cancellationToken);
        if (!input.Ok)
        {
            return input.Failure.ToProblem();
        }

        var done = await holds.ReleaseAsync(context.GetActor(), id, hold, input.Value.Reason, cancellationToken);
        return done.Ok ? Results.NoContent() : context.Refuse(done.Failure);
    }
}
