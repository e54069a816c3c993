using System.Text.Json.Serialization;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Governance.Identity.Subjects;

/// <summary>A grant to exactly one of a subject and a group.</summary>
internal sealed record NewGrantInput(
    string Role,
    string? Subject = null,
    string? Group = null,
    string? Kind = null,
    string? Pattern = null,
    IReadOnlyList<string>? Targets = null,
    IReadOnlyList<string>? ExceptTargets = null,
    DateTimeOffset? ExpiresAt = null
);

internal sealed record GroupInput(string Name, ExternalInput? External = null);

internal sealed record ExternalInput(string Issuer, string Claim, string Value);

internal sealed record MemberInput(string Subject);

internal sealed record HeldGrantOutput(
    Guid? Id,
    string? Subject,
    string? Group,
    GrantOutput Grant,
    bool Pending,
    string GrantedBy,
    DateTimeOffset CreatedAt,
    Guid? Confirmation
);

internal sealed record GrantPage(IReadOnlyList<HeldGrantOutput> Items, string? NextToken);

internal sealed record GroupPage(IReadOnlyList<GroupView> Items, string? NextToken);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 8
)]
[JsonSerializable(typeof(NewGrantInput))]
[JsonSerializable(typeof(GroupInput))]
[JsonSerializable(typeof(MemberInput))]
[JsonSerializable(typeof(HeldGrantOutput))]
[JsonSerializable(typeof(GrantPage))]
[JsonSerializable(typeof(GroupPage))]
internal sealed partial class GrantJson : JsonSerializerContext;

/// <summary>The HTTP API of grants and groups: parse, call, map. The stores authorise.</summary>
internal static class GrantEndpoints
{
    private static readonly Failure BadPage = Failure.Invalid(
        "identity.bad_page",
        "first is 1 to 200, after is a nextToken."
    );

    public static void Map(IEndpointRouteBuilder routes)
    {
        var grants = routes
            .MapGroup("/api/v1/grants")
            .WithTags("identity")
            .RequirePermission(Permissions.IdentityManage);
        grants.MapGet("", ListAsync);
        grants.MapPost("", GrantAsync);
        grants.MapDelete("/{id:guid}", RevokeAsync);
        var groups = routes
            .MapGroup("/api/v1/groups")
            .WithTags("identity")
            .RequirePermission(Permissions.IdentityManage);
        groups.MapGet("", GroupsAsync);
        groups.MapPost("", CreateGroupAsync);
        groups.MapPost("/{id}/members", AddMemberAsync);
        groups.MapDelete("/{id}/members/{subject}", RemoveMemberAsync);
    }

    private static async Task<IResult> ListAsync(
        HttpContext context,
        IGrants grants,
        string? holder,
        int? first,
        Guid? after,
        CancellationToken cancellationToken
    )
    {
        if (first is < 1 or > 200 || holder is { Length: > 32 })
        {
            return BadPage.ToProblem();
        }

        var page = await grants.ListAsync(context.GetActor(), holder, first ?? 50, after, cancellationToken);
        return page.Ok
            ? Results.Json(
                new GrantPage([.. page.Value.Items.Select(Output)], page.Value.NextToken),
                GrantJson.Default.GrantPage
            )
            : page.Failure.ToProblem();
    }

    private static async Task<IResult> GrantAsync(
        HttpContext context,
        IGrants grants,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, GrantJson.Default.NewGrantInput, cancellationToken);
        if (!input.Ok || GrantOf(input.Value) is not { } grant)
        {
            return (input.Failure ?? SubjectEndpoints.BadJson).ToProblem();
        }

        var added = await grants.GrantAsync(
            context.GetActor(),
            input.Value.Subject,
            input.Value.Group,
            grant,
            cancellationToken
        );
        return added.Ok
            ? Results.Json(
                Output(added.Value),
                GrantJson.Default.HeldGrantOutput,
                statusCode: StatusCodes.Status201Created
            )
            : context.Refuse(added.Failure);
    }

    private static async Task<IResult> RevokeAsync(
        HttpContext context,
        Guid id,
        IGrants grants,
        CancellationToken cancellationToken
    )
    {
        var done = await grants.RevokeAsync(context.GetActor(), id, cancellationToken);
        return done.Ok ? Results.NoContent() : context.Refuse(done.Failure);
    }

    private static async Task<IResult> GroupsAsync(
        HttpContext context,
        IGroups groups,
        int? first,
        string? after,
        CancellationToken cancellationToken
    )
    {
        if (first is < 1 or > 200 || after is { Length: > 32 })
        {
            return BadPage.ToProblem();
        }

        var page = await groups.ListAsync(context.GetActor(), first ?? 50, after, cancellationToken);
        return page.Ok
            ? Results.Json(new GroupPage(page.Value.Items, page.Value.NextToken), GrantJson.Default.GroupPage)
            : page.Failure.ToProblem();
    }

    private static async Task<IResult> CreateGroupAsync(
        HttpContext context,
        IGroups groups,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, GrantJson.Default.GroupInput, cancellationToken);
        if (!input.Ok)
        {
            return input.Failure.ToProblem();
        }

        var external = input.Value.External is { } named
            ? new ExternalClaim(named.Issuer, named.Claim, named.Value)
            : null;
        var made = await groups.CreateAsync(context.GetActor(), input.Value.Name, external, cancellationToken);
        return Answer(context, made, StatusCodes.Status201Created);
    }

    private static async Task<IResult> AddMemberAsync(
        HttpContext context,
        string id,
        IGroups groups,
        CancellationToken cancellationToken
    )
    {
        var input = await SubjectEndpoints.ReadAsync(context, GrantJson.Default.MemberInput, cancellationToken);
        return input.Ok
            ? Answer(
                context,
                await groups.AddMemberAsync(context.GetActor(), id, input.Value.Subject, cancellationToken),
                StatusCodes.Status200OK
            )
            : input.Failure.ToProblem();
    }

    private static async Task<IResult> RemoveMemberAsync(
        HttpContext context,
        string id,
        string subject,
        IGroups groups,
        CancellationToken cancellationToken
    ) =>
        Answer(
            context,
            await groups.RemoveMemberAsync(context.GetActor(), id, subject, cancellationToken),
            StatusCodes.Status200OK
        );

    private static IResult Answer(HttpContext context, Result<GroupView> group, int status) =>
        group.Ok
            ? Results.Json(group.Value, GrantJson.Default.GroupView, statusCode: status)
            : context.Refuse(group.Failure);

    private static RoleGrant? GrantOf(NewGrantInput input) =>
        SubjectEndpoints.Grant(
            new GrantInput(input.Role, input.Kind, input.Pattern, input.Targets, input.ExceptTargets, input.ExpiresAt)
        );

    private static HeldGrantOutput Output(GrantView view) =>
        new(
            view.Grant.Id,
            view.Subject,
            view.Group,
            SubjectEndpoints.Output(view.Grant),
            view.Pending,
            view.GrantedBy,
            view.CreatedAt,
            view.Confirmation
        );
}
