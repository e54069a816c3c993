using Governance.Identity.Contracts;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Governance.Identity.Server;

internal sealed record IssuerKeyView(string Id, DateTimeOffset CreatedAt, DateTimeOffset ActiveFrom, bool Signs);

/// <summary>An empty object: there is nothing to choose.</summary>
internal sealed record RotationInput;

internal sealed record IssuerKeys(IReadOnlyList<IssuerKeyView> Keys);

/// <summary>The issuer's keys for administrators: which are in use, make the next one now, take one away.</summary>
internal static class KeyEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        var keys = routes
            .MapGroup("/api/v1")
            .WithTags("identity")
            .RequirePermission(Permissions.IdentityManage, everywhere: true);
        keys.MapGet("/issuer-keys", ListAsync);
        keys.MapPost("/issuer-keys", RotateAsync);
        keys.MapPost("/issuer-keys/{id}/revoke", RevokeAsync);
    }

    private static async Task<IResult> ListAsync(
        HttpContext context,
        Administration administration,
        ServerKeys keys,
        CancellationToken cancellationToken
    ) =>
        await administration.CheckReadAsync(context.GetActor(), "", cancellationToken) is { } refused
            ? refused.ToProblem()
            : Answer(keys, StatusCodes.Status200OK);

    private static async Task<IResult> RotateAsync(
        HttpContext context,
        ServerKeys keys,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, IdentityJson.Default.RotationInput, cancellationToken);
        if (!input.Ok)
        {
            return input.Failure.ToProblem();
        }

        var made = await keys.RotateAsync(context.GetActor(), cancellationToken);
        return made.Ok ? Answer(keys, StatusCodes.Status201Created) : context.Refuse(made.Failure);
    }

    private static async Task<IResult> RevokeAsync(
        HttpContext context,
        ServerKeys keys,
        string id,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, IdentityJson.Default.RotationInput, cancellationToken);
        if (!input.Ok)
        {
            return input.Failure.ToProblem();
        }

        var revoked = await keys.RevokeAsync(context.GetActor(), id, cancellationToken);
        return revoked.Ok ? Answer(keys, StatusCodes.Status200OK) : context.Refuse(revoked.Failure);
    }

    private static IResult Answer(ServerKeys keys, int status) =>
        Results.Json(
            new IssuerKeys([
                .. keys.InUse.Select(
                    (key, index) => new IssuerKeyView(key.Time.Id, key.Time.CreatedAt, key.Time.ActiveFrom, index == 0)
                ),
            ]),
            IdentityJson.Default.IssuerKeys,
            statusCode: status
        );
}
