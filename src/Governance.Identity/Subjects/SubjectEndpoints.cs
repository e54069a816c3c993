using System.Text.Json;
using System.Text.Json.Serialization;
using Governance.Identity.Contracts;
using Governance.Identity.Erasure;
using Governance.Identity.Server;
using Governance.Identity.Services;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Governance.Identity.Subjects;

/// <summary>A role to grant. Kind is <c>experiment</c>, <c>model</c> or <c>dataset</c> with a pattern; neither for a global grant.</summary>
internal sealed record GrantInput(
    string Role,
    string? Kind = null,
    string? Pattern = null,
    IReadOnlyList<string>? Targets = null,
    IReadOnlyList<string>? ExceptTargets = null,
    DateTimeOffset? ExpiresAt = null
);

internal sealed record EnabledInput(bool Enabled);

internal sealed record GrantOutput(
    Guid? Id,
    string Role,
    string? Kind,
    string? Pattern,
    IReadOnlyList<string> Targets,
    IReadOnlyList<string> ExceptTargets,
    DateTimeOffset? ExpiresAt,
    string? Group
);

internal sealed record SubjectOutput(string Id, string Kind, string DisplayName, IReadOnlyList<GrantOutput> Grants);

internal sealed record SubjectPage(IReadOnlyList<SubjectOutput> Items, string? NextToken);

internal sealed record WhoAmI(
    string Id,
    string Kind,
    IReadOnlyList<GrantOutput> Roles,
    IReadOnlyList<string> Permissions,
    bool AwaitsConfirmation
);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 8
)]
[JsonSerializable(typeof(PersonInput))]
[JsonSerializable(typeof(InvitationOutput))]
[JsonSerializable(typeof(ConfirmationPage))]
[JsonSerializable(typeof(LoginInput))]
[JsonSerializable(typeof(LoginLinked))]
[JsonSerializable(typeof(LoginList))]
[JsonSerializable(typeof(System.Text.Json.Nodes.JsonObject))]
[JsonSerializable(typeof(ServiceInput))]
[JsonSerializable(typeof(ServiceChangeInput))]
[JsonSerializable(typeof(SecretInput))]
[JsonSerializable(typeof(ServiceView))]
[JsonSerializable(typeof(IssuerKeys))]
[JsonSerializable(typeof(RotationInput))]
[JsonSerializable(typeof(EnabledInput))]
[JsonSerializable(typeof(GroundInput))]
[JsonSerializable(typeof(ReasonInput))]
[JsonSerializable(typeof(ErasureAsked))]
[JsonSerializable(typeof(ErasureView))]
[JsonSerializable(typeof(HoldSet))]
[JsonSerializable(typeof(HoldList))]
[JsonSerializable(typeof(SubjectPage))]
[JsonSerializable(typeof(ServiceOutput))]
[JsonSerializable(typeof(WhoAmI))]
internal sealed partial class IdentityJson : JsonSerializerContext;

/// <summary>The HTTP API for administration: parse, authorise, call, map.</summary>
internal static class SubjectEndpoints
{
    private const int MaxBody = 64 * 1024;
    internal static readonly Failure BadJson = Failure.Invalid(
        "identity.bad_json",
        "The body is not the JSON object that this address takes: check names, types and repetitions."
    );

    public static void Map(IEndpointRouteBuilder routes)
    {
        var api = routes.MapGroup("/api/v1").WithTags("identity");
        api.MapGet("/whoami", WhoAmIAsync).RequirePermission(Permissions.Self).AcceptSession();
        var manage = api.MapGroup("").RequirePermission(Permissions.IdentityManage, everywhere: true);
        manage.MapGet("/subjects", ListAsync);
        PersonEndpoints.Map(manage);
        manage.MapPost("/subjects/{id}/enabled", SetEnabledAsync);
    }

    private static async Task<IResult> WhoAmIAsync(
        HttpContext context,
        IAccess access,
        CancellationToken cancellationToken
    )
    {
        var rights = await access.RightsOfAsync(context.GetActor(), cancellationToken);
        return Results.Json(
            new WhoAmI(
                rights.Actor.Id,
                KindText(rights.Actor.Kind),
                [.. rights.Grants.Select(Output)],
                [
                    .. Permissions
                        .All.Where(permission => permission != Permissions.Public && rights.AllowsSomewhere(permission))
                        .Select(permission => permission.Name),
                ],
                rights.Held
            ),
            IdentityJson.Default.WhoAmI
        );
    }

    private static async Task<IResult> ListAsync(
        HttpContext context,
        Administration administration,
        SubjectStore store,
        IWriter writer,
        int? first,
        string? after,
        CancellationToken cancellationToken
    )
    {
        if (await administration.CheckReadAsync(context.GetActor(), "", cancellationToken) is { } refused)
        {
            return refused.ToProblem();
        }

        if (first is < 1 or > 200 || after is { Length: > 32 })
        {
            return Failure.Invalid("identity.bad_page", "first is 1 to 200, after is a nextToken.").ToProblem();
        }

        await BeginNamesAsync(context, writer, subject: "");
        var page = await store.ListAsync(first ?? 50, after, cancellationToken);
        return Results.Json(
            new SubjectPage(
                [
                    .. page.Items.Select(view => new SubjectOutput(
                        view.Id,
                        KindText(view.Kind),
                        view.DisplayName,
                        [.. view.Grants.Select(Output)]
                    )),
                ],
                page.NextToken
            ),
            IdentityJson.Default.SubjectPage
        );
    }

    // Elsewhere persons are pseudonyms: who asks for the names behind them, of all or of one, is on record before they are told.
    internal static Task BeginNamesAsync(HttpContext context, IWriter writer, string subject) =>
        context.BeginSensitiveReadAsync(
            writer,
            new LogEntry("identity.names_read", context.GetActor(), Administration.Subject(subject), LogOutcome.Begun)
        );

    private static async Task<IResult> SetEnabledAsync(
        HttpContext context,
        string id,
        SubjectStore store,
        CancellationToken cancellationToken
    )
    {
        var input = await ReadAsync(context, IdentityJson.Default.EnabledInput, cancellationToken);
        var done = input.Ok
            ? await store.SetEnabledAsync(context.GetActor(), id, input.Value.Enabled, cancellationToken)
            : input.Failure;
        return done.Ok ? Results.NoContent() : context.Refuse(done.Failure);
    }

    /// <summary>Also a change that was begun in time and refused in its unit tells by which sign-in it would be taken (RFC 9470).</summary>
    internal static IResult Refuse(this HttpContext context, Failure failure)
    {
        FailureResults.Challenge(context.Response, failure);
        return failure.ToProblem();
    }

    internal static async Task<Result<T>> ReadAsync<T>(
        HttpContext context,
        System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type,
        CancellationToken cancellationToken
    )
        where T : class
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = MaxBody;
        }

        try
        {
            return await JsonSerializer.DeserializeAsync(context.Request.Body, type, cancellationToken) is { } value
                ? value
                : BadJson;
        }
        catch (JsonException)
        {
            return BadJson;
        }
        catch (BadHttpRequestException tooLong) when (tooLong.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return new Failure(FailureKind.TooLarge, "identity.too_large", "The body is longer than 65,536 bytes.");
        }
    }

    internal static List<RoleGrant>? Grants(IReadOnlyList<GrantInput> inputs)
    {
        var grants = inputs.Select(Grant).OfType<RoleGrant>().ToList();
        return grants.Count == inputs.Count ? grants : null;
    }

    internal static RoleGrant? Grant(GrantInput? input) =>
        (input?.Kind, input?.Pattern) switch
        {
            (null, null) when input is not null => Grant(input, ObjectKind.None, ""),
            ("experiment", { } pattern) => Grant(input, ObjectKind.Experiment, pattern),
            ("model", { } pattern) => Grant(input, ObjectKind.Model, pattern),
            ("dataset", { } pattern) => Grant(input, ObjectKind.Dataset, pattern),
            _ => null,
        };

    internal static GrantOutput Output(RoleGrant grant) =>
        new(
            grant.Id,
            grant.Role,
            grant.Kind == ObjectKind.None ? null : grant.Kind.ToString().ToLowerInvariant(),
            grant.Kind == ObjectKind.None ? null : grant.Pattern,
            grant.Targets.Only,
            grant.Targets.Except,
            grant.ExpiresAt,
            grant.Group
        );

    private static RoleGrant? Grant(GrantInput input, ObjectKind kind, string pattern) =>
        input.Targets?.Contains(null!) == true || input.ExceptTargets?.Contains(null!) == true
            ? null
            : new RoleGrant(input.Role, kind, pattern)
            {
                Targets = input is { Targets: null or [], ExceptTargets: null or [] }
                    ? TargetScope.All
                    : new TargetScope(input.Targets ?? [], input.ExceptTargets ?? []),
                ExpiresAt = input.ExpiresAt,
            };

    private static string KindText(ActorKind kind) => kind == ActorKind.Person ? "person" : "service";
}
