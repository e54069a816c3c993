using Governance.Evidence.Contracts;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Governance.Registry.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Governance.Evidence.Read;

/// <summary>The evidence of a version as documents.</summary>
internal static class EvidenceEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/api/v1/models/{name}/versions/{version:int}");
        Document(
            group,
            "bundle",
            EvidenceKind.Signature,
            "application/vnd.dev.sigstore.bundle.v0.3+json",
            Permissions.EvidenceRead
        );
        group
            .MapGet("signature", SignatureEndpoint.HandleAsync)
            .RequirePermission(Permissions.EvidenceRead)
            .WithTags("Evidence");
        Document(
            group,
            "sbom",
            EvidenceKind.Sbom,
            "application/vnd.cyclonedx+json; version=1.7",
            Permissions.EvidenceRead
        );
        // Names every dataset and column upstream, also those of others; GraphQL serves what one may see of it.
        Document(group, "lineage", EvidenceKind.Lineage, "application/json", Permissions.DatasetRead, everywhere: true);
        Document(group, "scan", EvidenceKind.Scan, "application/json", Permissions.FindingRead);
        Document(group, "privacy", EvidenceKind.Privacy, "application/json", Permissions.FindingRead);
    }

    private static void Document(
        RouteGroupBuilder group,
        string name,
        EvidenceKind kind,
        string contentType,
        Permission permission,
        bool everywhere = false
    ) =>
        group
            .MapGet(
                name,
                (
                    string name,
                    int version,
                    HttpContext context,
                    IEvidence evidence,
                    IRegistryReader registry,
                    IAccess access,
                    IWriter writer
                ) =>
                    HandleAsync(
                        new ModelVersionRef(name, version),
                        kind,
                        contentType,
                        permission,
                        context,
                        evidence,
                        registry,
                        access,
                        writer
                    )
            )
            .RequirePermission(permission, everywhere)
            .WithTags("Evidence");

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> HandleAsync(
        ModelVersionRef version,
        EvidenceKind kind,
        string contentType,
        Permission permission,
        HttpContext context,
        IEvidence evidence,
        IRegistryReader registry,
        IAccess access,
        IWriter writer
    )
    {
        var rights = await access.RightsOfAsync(context.GetActor(), context.RequestAborted);
        var view = await registry.FindVersionAsync(version, context.RequestAborted);
        if (view is null || !rights.Allows(permission, view.Target))
        {
            return await context.RefuseAsync(
                writer,
                "evidence.refused",
                Urn.Version(version),
                Failure.NotFound("evidence.not_found", "There is no such version.")
            );
        }

        if (permission == Permissions.FindingRead)
        {
            var entry = new LogEntry(
                "evidence.finding_read",
                context.GetActor(),
                Urn.Version(version),
                LogOutcome.Begun
            );
            await context.BeginSensitiveReadAsync(writer, entry);
        }

        return await evidence.DocumentAsync(version, kind, context.RequestAborted) is { } document
            ? TypedResults.File(document, contentType)
            : Failure
                .Conflict("evidence.not_produced", "This evidence is not produced yet for the current subject.")
                .ToProblem();
    }
}
