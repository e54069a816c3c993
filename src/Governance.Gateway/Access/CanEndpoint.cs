using System.Text.Json.Serialization;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Web;

namespace Governance.Gateway.Access;

/// <summary>The answer of <c>GET /api/v1/can</c>.</summary>
internal sealed record CanOutput(
    bool Allowed,
    string Reason,
    Guid? Grant,
    string? Role,
    string? Kind,
    string? Pattern,
    string? Group,
    IReadOnlyList<string> Unreached,
    IReadOnlyList<string> Roles
);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(CanOutput))]
internal sealed partial class CanJson : JsonSerializerContext;

/// <summary><c>GET /api/v1/can?permission=&amp;object=&amp;target=&amp;subject=</c>.</summary>
internal static class CanEndpoint
{
    private const int MaxText = 300;

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/v1/can", AskAsync).RequirePermission(Permissions.Self).WithTags("identity").AcceptSession();

    private static async Task<IResult> AskAsync(
        HttpContext context,
        IAccess access,
        CanQuestion question,
        string? permission,
        string? @object,
        string? target,
        string? subject,
        CancellationToken cancellationToken
    )
    {
        var began = EvenAnswer.Now;
        if (new[] { permission, @object, target, subject }.Any(text => text is { Length: > MaxText }))
        {
            return Failure
                .Invalid("identity.too_large", $"Each of these has at most {MaxText} characters.")
                .ToProblem();
        }

        var rights = await access.RightsOfAsync(context.GetActor(), cancellationToken);
        var answer = await question.AskAsync(rights, permission ?? "", @object, target, subject, cancellationToken);
        if (CanQuestion.IsTold(rights, @object))
        {
            await EvenAnswer.HoldAsync(context, began);
        }

        return answer.Ok
            ? Results.Json(Output(answer.Value, permission!), CanJson.Default.CanOutput)
            : answer.Failure.ToProblem();
    }

    private static CanOutput Output(Explanation why, string permission) =>
        new(
            why.Allowed,
            Reason(why, permission),
            why.Grant?.Id,
            why.Grant?.Role,
            why.Grant is null or { Kind: ObjectKind.None } ? null : why.Grant.Kind.ToString().ToLowerInvariant(),
            why.Grant is null or { Kind: ObjectKind.None } ? null : why.Grant.Pattern,
            why.Grant?.Group,
            why.Unreached,
            why.Roles
        );

    /// <summary>One sentence for people.</summary>
    public static string Reason(Explanation why, string permission)
    {
        if (why.Grant is null)
        {
            return why.Allowed ? "Everybody who is signed in may."
                : why.Roles.Count == 0 ? $"No role gives {permission}."
                : $"No grant gives {permission} there. It takes one of these roles, on the object: {string.Join(", ", why.Roles)}.";
        }

        var grant =
            $"role {why.Grant.Role} {(why.Grant.Kind == ObjectKind.None ? "on everything" : $"on {why.Grant.Kind.ToString().ToLowerInvariant()} {why.Grant.Pattern}")}"
            + (why.ByOwnership ? ", as owner" : "")
            + (why.Grant.Group is null ? "" : ", through a group");
        return why.Allowed ? $"By {grant}."
            : why.Withheld
                ? $"By {grant}, but not now: the account waits for another administrator's confirmation, or this takes a token bound to a key or certificate."
            : $"By {grant}, but no such grant reaches {string.Join(" and ", why.Unreached)}.";
    }
}
