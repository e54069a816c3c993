using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Governance.Identity.Subjects;

internal sealed record PersonInput(string UserName, string DisplayName, IReadOnlyList<GrantInput> Grants);

internal sealed record InvitationOutput(
    string Id,
    string Code,
    DateTimeOffset ExpiresAt,
    string EnrolAt,
    Guid? Confirmation
);

internal sealed record ConfirmationPage(IReadOnlyList<ConfirmationView> Items, string? NextToken);

internal sealed record LoginInput(string Issuer, string Subject);

internal sealed record LoginLinked(Guid Id, Guid Confirmation);

internal sealed record LoginList(IReadOnlyList<LoginView> Items);

/// <summary>The HTTP API about persons and the confirmations of privileged changes.</summary>
internal static class PersonEndpoints
{
    public static void Map(IEndpointRouteBuilder manage)
    {
        manage.MapPost("/persons", InviteAsync);
        manage.MapPost("/persons/{id}/reset", ResetAsync);
        manage.MapGet("/persons/{id}/logins", ListLoginsAsync);
        manage.MapPost("/persons/{id}/logins", LinkAsync);
        manage.MapDelete("/persons/{id}/logins/{login:guid}", UnlinkAsync);
        manage.MapGet("/confirmations", ListAsync);
        manage.MapPost("/confirmations/{id:guid}/confirm", ConfirmAsync);
        manage.MapPost("/confirmations/{id:guid}/reject", RejectAsync);
        manage.MapPost("/confirmations/{id:guid}/renew", RenewAsync);
    }

    private static async Task<IResult> InviteAsync(
        HttpContext context,
        Enrolments enrolments,
        PlatformOptions platform,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, IdentityJson.Default.PersonInput, cancellationToken);
        if (!input.Ok || SubjectEndpoints.Grants(input.Value.Grants) is not { } grants)
        {
            return (input.Failure ?? SubjectEndpoints.BadJson).ToProblem();
        }

        var invited = await enrolments.InviteAsync(
            context.GetActor(),
            input.Value.UserName,
            input.Value.DisplayName,
            grants,
            cancellationToken
        );
        return Answer(context, invited, platform, StatusCodes.Status201Created);
    }

    private static async Task<IResult> ResetAsync(
        HttpContext context,
        string id,
        Enrolments enrolments,
        PlatformOptions platform,
        CancellationToken cancellationToken
    )
    {
        var reset = await enrolments.ResetAsync(context.GetActor(), id, cancellationToken);
        return Answer(context, reset, platform, StatusCodes.Status200OK);
    }

    private static async Task<IResult> ListLoginsAsync(
        HttpContext context,
        string id,
        ILogins logins,
        IWriter writer,
        CancellationToken cancellationToken
    )
    {
        var found = await logins.ListAsync(context.GetActor(), id, cancellationToken);
        if (!found.Ok)
        {
            return found.Failure.ToProblem();
        }

        await SubjectEndpoints.BeginNamesAsync(context, writer, id);
        return Results.Json(new LoginList(found.Value), IdentityJson.Default.LoginList);
    }

    private static async Task<IResult> LinkAsync(
        HttpContext context,
        string id,
        ILogins logins,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, IdentityJson.Default.LoginInput, cancellationToken);
        if (!input.Ok)
        {
            return input.Failure.ToProblem();
        }

        var (issuer, subject) = (input.Value.Issuer, input.Value.Subject);
        var linked = await logins.LinkAsync(context.GetActor(), id, issuer, subject, cancellationToken);
        return linked.Ok
            ? Results.Json(
                new LoginLinked(linked.Value.Login, linked.Value.Confirmation),
                IdentityJson.Default.LoginLinked,
                statusCode: StatusCodes.Status201Created
            )
            : context.Refuse(linked.Failure);
    }

    private static async Task<IResult> UnlinkAsync(
        HttpContext context,
        string id,
        Guid login,
        ILogins logins,
        CancellationToken cancellationToken
    )
    {
        var done = await logins.UnlinkAsync(context.GetActor(), id, login, cancellationToken);
        return done.Ok ? Results.NoContent() : context.Refuse(done.Failure);
    }

    private static async Task<IResult> ListAsync(
        HttpContext context,
        IConfirmations confirmations,
        int? first,
        Guid? after,
        CancellationToken cancellationToken
    )
    {
        if (first is < 1 or > 200)
        {
            return Failure.Invalid("identity.bad_page", "first is 1 to 200, after is a nextToken.").ToProblem();
        }

        var page = await confirmations.ListAsync(context.GetActor(), first ?? 50, after, cancellationToken);
        return page.Ok
            ? Results.Json(
                new ConfirmationPage(page.Value.Items, page.Value.NextToken),
                IdentityJson.Default.ConfirmationPage
            )
            : page.Failure.ToProblem();
    }

    private static async Task<IResult> ConfirmAsync(
        HttpContext context,
        Guid id,
        IConfirmations confirmations,
        CancellationToken cancellationToken
    ) => Answer(context, await confirmations.ConfirmAsync(context.GetActor(), id, cancellationToken));

    private static async Task<IResult> RejectAsync(
        HttpContext context,
        Guid id,
        IConfirmations confirmations,
        CancellationToken cancellationToken
    ) => Answer(context, await confirmations.RejectAsync(context.GetActor(), id, cancellationToken));

    private static async Task<IResult> RenewAsync(
        HttpContext context,
        Guid id,
        IConfirmations confirmations,
        CancellationToken cancellationToken
    ) => Answer(context, await confirmations.RenewAsync(context.GetActor(), id, cancellationToken));

    private static IResult Answer(HttpContext context, Result<Unit> done) =>
        done.Ok ? Results.NoContent() : context.Refuse(done.Failure);

    private static IResult Answer(HttpContext context, Result<Invitation> invited, PlatformOptions platform, int status)
    {
        if (!invited.Ok)
        {
            return context.Refuse(invited.Failure);
        }

        context.Response.Headers.CacheControl = "no-store";
        var invitation = invited.Value;
        return Results.Json(
            new InvitationOutput(
                invitation.Id,
                invitation.Code.Reveal(),
                invitation.ExpiresAt,
                $"{platform.PublicUrl}/enrol",
                invitation.ConfirmationId
            ),
            IdentityJson.Default.InvitationOutput,
            statusCode: status
        );
    }
}
