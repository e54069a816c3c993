using Governance.Evidence.Contracts;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Web;
using Governance.Registry.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Governance.Evidence.Read;

/// <summary>How the signatures of a version stand, verified when asked.</summary>
/// <param name="Verified">Whether all that the policy asks holds.</param>
/// <param name="Outcome">Outcome of the evidence.</param>
/// <param name="Class">Its class word.</param>
/// <param name="Summary">One line for people.</param>
/// <param name="Reasons">What is wrong or, where that stops nothing, noteworthy.</param>
/// <param name="Rules">By which rules and signer policy it was judged.</param>
internal sealed record SignatureAnswer(
    bool Verified,
    string Outcome,
    string Class,
    string Summary,
    IReadOnlyList<string> Reasons,
    string Rules
)
{
    /// <summary>Whom the certificate of the gateway's signature names.</summary>
    public string? Signer { get; init; }

    /// <summary>Who vouched for that name.</summary>
    public string? Issuer { get; init; }

    /// <summary>The key that signed.</summary>
    public string? Key { get; init; }

    /// <summary>When, by the timestamp authority.</summary>
    public DateTimeOffset? SignedAt { get; init; }
}

/// <summary><c>GET …/signature</c>.</summary>
internal static class SignatureEndpoint
{
    public static async Task<Results<Ok<SignatureAnswer>, ProblemHttpResult>> HandleAsync(
        string name,
        int version,
        HttpContext context,
        ISignatures signatures,
        IRegistryReader registry,
        IAccess access,
        IWriter writer
    )
    {
        var reference = new ModelVersionRef(name, version);
        var rights = await access.RightsOfAsync(context.GetActor(), context.RequestAborted);
        var view = await registry.FindVersionAsync(reference, context.RequestAborted);
        if (view is null || !rights.Allows(Permissions.EvidenceRead, view.Target))
        {
            return await context.RefuseAsync(
                writer,
                "evidence.refused",
                Urn.Version(reference),
                Failure.NotFound("evidence.not_found", "There is no such version.")
            );
        }

        var standing = await signatures.OfAsync(view, context.RequestAborted);
        if (standing.Item is not { } item)
        {
            return Failure
                .Conflict("evidence.not_produced", "This evidence is not produced yet for the current subject.")
                .ToProblem();
        }

        return TypedResults.Ok(
            new SignatureAnswer(
                standing.Verified,
                item.Outcome.ToString().ToLowerInvariant(),
                item.Class,
                item.Summary,
                [.. standing.Reasons.Concat(item.Reasons).Distinct()],
                item.RulesVersion
            )
            {
                Signer = standing.Statement?.Signer?.Subject,
                Issuer = standing.Statement?.Signer?.Issuer,
                Key = standing.Statement?.KeyHint,
                SignedAt = standing.Statement?.SignedAt,
            }
        );
    }
}
