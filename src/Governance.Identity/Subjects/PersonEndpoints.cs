using System.Text.Json.Nodes;
using Governance.Identity.Confirm;
using Governance.Identity.Contracts;
using Governance.Identity.Storage;
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

internal sealed record ConfirmationOutput(
    Guid Id,
    string Change,
    string Subject,
    JsonObject Details,
    string RequestedBy,
    DateTimeOffset RequestedAt,
    DateTimeOffset ExpiresAt
);

internal sealed record ConfirmationPage(IReadOnlyList<ConfirmationOutput> Items, string? NextToken);

internal sealed record LoginInput(string Issuer, string Subject);

internal sealed record LoginLinked(Guid Id, Guid Confirmation);

internal sealed record LoginOutput(Guid Id, string Issuer, string Subject, bool Confirmed);

internal sealed record LoginList(IReadOnlyList<LoginOutput> Items);

/// <summary>The HTTP API about persons and the confirmations of privileged changes. Only persons change persons.</summary>
internal static class PersonEndpoints
{
    private static readonly Failure NotPerson = Failure.Denied(
        "identity.persons_only",
        "Only an enrolled person who signed in may do this."
    );

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
        IAccess access,
        IStepUp stepUp,
        IWriter writer,
        Enrolments enrolments,
        PlatformOptions platform,
        CancellationToken cancellationToken
    )
    {
        if (
            await RefusedAsync(context, access, stepUp, writer, "identity.enrolment_refused", "", cancellationToken) is
            { } no
        )
        {
            return no;
        }

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
        IAccess access,
        IStepUp stepUp,
        IWriter writer,
        Enrolments enrolments,
        PlatformOptions platform,
        CancellationToken cancellationToken
    )
    {
        var subject = id.Length == 32 ? $"subject:{id}" : "";
        if (
            await RefusedAsync(context, access, stepUp, writer, "identity.reset_refused", subject, cancellationToken) is
            { } no
        )
        {
            return no;
        }

        var reset = await enrolments.ResetAsync(context.GetActor(), id, cancellationToken);
        return reset.Failure is { Kind: FailureKind.Denied } denied
            ? await context.RefuseAsync(writer, "identity.reset_refused", subject, denied)
            : Answer(context, reset, platform, StatusCodes.Status200OK);
    }

    private static async Task<IResult> ListLoginsAsync(
        HttpContext context,
        string id,
        IAccess access,
        Logins logins,
        CancellationToken cancellationToken
    ) =>
        await SubjectEndpoints.RefusedAsync(context, access, cancellationToken)
        ?? Results.Json(
            new LoginList([
                .. (await logins.ListAsync(id, cancellationToken)).Select(login => new LoginOutput(
                    login.Id,
                    login.Issuer,
                    login.ExternalId,
                    login.ConfirmedAt is not null
                )),
            ]),
            IdentityJson.Default.LoginList
        );

    private static async Task<IResult> LinkAsync(
        HttpContext context,
        string id,
        IAccess access,
        IStepUp stepUp,
        IWriter writer,
        Logins logins,
        CancellationToken cancellationToken
    )
    {
        const string kind = "identity.login_refused";
        if (await RefusedAsync(context, access, stepUp, writer, kind, "", cancellationToken) is { } refused)
        {
            return refused;
        }

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
            : linked.Failure.ToProblem();
    }

    private static async Task<IResult> UnlinkAsync(
        HttpContext context,
        string id,
        Guid login,
        IAccess access,
        IStepUp stepUp,
        IWriter writer,
        Logins logins,
        CancellationToken cancellationToken
    )
    {
        const string kind = "identity.login_refused";
        if (await RefusedAsync(context, access, stepUp, writer, kind, "", cancellationToken) is { } refused)
        {
            return refused;
        }

        var done = await logins.UnlinkAsync(context.GetActor(), id, login, cancellationToken);
        return done.Ok ? Results.NoContent() : done.Failure.ToProblem();
    }

    private static async Task<IResult> ListAsync(
        HttpContext context,
        IAccess access,
        Confirmations confirmations,
        int? first,
        Guid? after,
        CancellationToken cancellationToken
    )
    {
        if (await SubjectEndpoints.RefusedAsync(context, access, cancellationToken) is { } refused)
        {
            return refused;
        }

        if (first is < 1 or > 200)
        {
            return Failure.Invalid("identity.bad_page", "first is 1 to 200, after is a nextToken.").ToProblem();
        }

        var page = await confirmations.ListAsync(first ?? 50, after, cancellationToken);
        return Results.Json(
            new ConfirmationPage([.. page.Items.Select(Output)], page.NextToken),
            IdentityJson.Default.ConfirmationPage
        );
    }

    private static Task<IResult> ConfirmAsync(
        HttpContext context,
        Guid id,
        IAccess access,
        IStepUp stepUp,
        IWriter writer,
        Confirmations confirmations,
        CancellationToken cancellationToken
    ) =>
        DecideAsync(
            context,
            id,
            access,
            stepUp,
            writer,
            by => confirmations.DecideAsync(by, id, confirm: true, cancellationToken),
            cancellationToken
        );

    private static Task<IResult> RejectAsync(
        HttpContext context,
        Guid id,
        IAccess access,
        IStepUp stepUp,
        IWriter writer,
        Confirmations confirmations,
        CancellationToken cancellationToken
    ) =>
        DecideAsync(
            context,
            id,
            access,
            stepUp,
            writer,
            by => confirmations.DecideAsync(by, id, confirm: false, cancellationToken),
            cancellationToken
        );

    private static Task<IResult> RenewAsync(
        HttpContext context,
        Guid id,
        IAccess access,
        IStepUp stepUp,
        IWriter writer,
        Confirmations confirmations,
        CancellationToken cancellationToken
    ) =>
        DecideAsync(
            context,
            id,
            access,
            stepUp,
            writer,
            by => confirmations.RenewAsync(by, id, cancellationToken),
            cancellationToken
        );

    private static async Task<IResult> DecideAsync(
        HttpContext context,
        Guid id,
        IAccess access,
        IStepUp stepUp,
        IWriter writer,
        Func<Actor, Task<Result<Unit>>> decide,
        CancellationToken cancellationToken
    )
    {
        const string kind = "identity.confirmation_refused";
        if (
            await RefusedAsync(context, access, stepUp, writer, kind, $"confirmation:{id}", cancellationToken) is
            { } refused
        )
        {
            return refused;
        }

        var done = await decide(context.GetActor());
        return done.Ok ? Results.NoContent() : done.Failure.ToProblem();
    }

    // An administrator by the database's word of now, a person, who signed in recently: neither the secret of a service nor a
    // browser left alone makes anybody a reviewer.
    private static async Task<IResult?> RefusedAsync(
        HttpContext context,
        IAccess access,
        IStepUp stepUp,
        IWriter writer,
        string kind,
        string subject,
        CancellationToken cancellationToken
    ) =>
        await SubjectEndpoints.RefusedAsync(context, access, cancellationToken) is { } refused ? refused
        : (context.GetActor().IsPerson ? stepUp.Check(context.GetActor()) : NotPerson) is { } failure
            ? await context.RefuseAsync(writer, kind, subject, failure)
        : null;

    private static IResult Answer(HttpContext context, Result<Invitation> invited, PlatformOptions platform, int status)
    {
        if (!invited.Ok)
        {
            return invited.Failure.ToProblem();
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

    private static ConfirmationOutput Output(ConfirmationRow row) =>
        new(
            row.Id,
            row.Kind,
            row.SubjectId,
            JsonNode.Parse(row.Details)!.AsObject(),
            row.RequestedBy,
            row.RequestedAt,
            row.ExpiresAt
        );
}
