using System.Text.Json.Serialization;
using Governance.Compliance.Contracts;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Web;
using Governance.Registry.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Governance.Compliance.Offline;

/// <summary>An attestation in a list.</summary>
internal sealed record AttestationSummary(
    string Id,
    string PredicateType,
    string Sha256,
    DateTimeOffset MadeAt,
    Guid EntryId,
    string Href
);

/// <summary>All attestations of a version.</summary>
internal sealed record AttestationList(IReadOnlyList<AttestationSummary> Attestations);

/// <summary>JSON of these routes.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(AttestationList))]
internal sealed partial class OfflineJson : JsonSerializerContext;

/// <summary>What somebody takes along to check a version without the gateway.</summary>
internal static class OfflineEndpoints
{
    private const string BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";

    public static void Map(IEndpointRouteBuilder routes)
    {
        var group = routes
            .MapGroup("/api/v1/models/{name}/versions/{version:int}")
            .RequirePermission(Permissions.EvidenceRead)
            .WithTags("Evidence");
        group.MapGet("attestations", ListAsync);
        group.MapGet("attestations/{id}", GetAsync);
        group.MapGet("kit", KitAsync);
    }

    private static async Task<Results<JsonHttpResult<AttestationList>, ProblemHttpResult>> ListAsync(
        string name,
        int version,
        string? predicateType,
        HttpContext context,
        OfflineAccess access,
        IAttestations attestations
    )
    {
        var visible = await access.FindAsync(context, new ModelVersionRef(name, version));
        if (visible.Value is not { } view)
        {
            return visible.Refusal!;
        }

        var all = await attestations.OfAsync(view.Ref, context.RequestAborted);
        return TypedResults.Json(
            new AttestationList([
                .. all.Where(one => predicateType is null || one.PredicateType == predicateType)
                    .Select(one => new AttestationSummary(
                        one.Id,
                        one.PredicateType,
                        one.Sha256.Hex,
                        one.MadeAt,
                        one.EntryId,
                        $"/api/v1/models/{Uri.EscapeDataString(view.Ref.Model)}/versions/{view.Ref.Version}/attestations/{one.Id}"
                    )),
            ]),
            OfflineJson.Default.AttestationList
        );
    }

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> GetAsync(
        string name,
        int version,
        string id,
        HttpContext context,
        OfflineAccess access,
        IAttestations attestations
    )
    {
        var visible = await access.FindAsync(context, new ModelVersionRef(name, version));
        if (visible.Value is not { } view)
        {
            return visible.Refusal!;
        }

        return await attestations.BundleAsync(view.Ref, id, context.RequestAborted) is { } bundle
            ? TypedResults.File(bundle, BundleType)
            : await access.RefuseAsync(
                context,
                view.Ref,
                Failure.NotFound(
                    "evidence.attestation_not_found",
                    "There is no such attestation for the current subject."
                )
            );
    }

    private static async Task<IResult> KitAsync(
        string name,
        int version,
        HttpContext context,
        OfflineAccess access,
        KitWriter kits
    )
    {
        var visible = await access.FindAsync(context, new ModelVersionRef(name, version));
        if (visible.Value is not { } view)
        {
            return visible.Refusal!;
        }

        var parts = await kits.PrepareAsync(view.Ref, context.RequestAborted);
        if (!parts.Ok)
        {
            return parts.Failure.ToProblem();
        }

        context.Response.ContentType = "application/zip";
        context.Response.Headers.ContentDisposition = "attachment; filename=\"kit.zip\"";
        context.Response.Headers.CacheControl = "no-store";
        await KitWriter.WriteAsync(parts.Value, context.Response.Body, context.RequestAborted);
        return TypedResults.Empty;
    }
}

/// <summary>Finds a version whose evidence the caller may read, or refuses and logs it.</summary>
internal sealed class OfflineAccess(IRegistryReader registry, IAccess access, IWriter writer)
{
    public async Task<(VersionView? Value, ProblemHttpResult? Refusal)> FindAsync(
        HttpContext context,
        ModelVersionRef version
    )
    {
        var rights = await access.RightsOfAsync(context.GetActor(), context.RequestAborted);
        var view = await registry.FindVersionAsync(version, context.RequestAborted);
        return view is not null && rights.Allows(Permissions.EvidenceRead, view.Target)
            ? (view, null)
            : (
                null,
                await RefuseAsync(context, version, Failure.NotFound("evidence.not_found", "There is no such version."))
            );
    }

    public Task<ProblemHttpResult> RefuseAsync(HttpContext context, ModelVersionRef version, Failure failure) =>
        context.RefuseAsync(writer, "evidence.refused", Urn.Version(version), failure);
}
