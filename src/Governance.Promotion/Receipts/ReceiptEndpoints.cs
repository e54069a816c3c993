using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Web;
using Governance.Promotion.Contracts;
using Governance.Registry.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Governance.Promotion.Receipts;

/// <summary>Receipts of a version: a list of ids, and each receipt as JSON that verifies offline.</summary>
internal static class ReceiptEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        var group = routes
            .MapGroup("/api/v1/models/{name}/versions/{version:int}/receipts")
            .RequirePermission(Permissions.EvidenceRead)
            .WithTags("Receipts");
        group.MapGet("", ListAsync);
        group.MapGet("{id:guid}", GetAsync);
    }

    private static async Task<Results<JsonHttpResult<ReceiptList>, ProblemHttpResult>> ListAsync(
        string name,
        int version,
        HttpContext context,
        IPromotions promotions,
        IRegistryReader registry,
        IAccess access,
        IWriter writer
    ) =>
        await VisibleAsync(name, version, context, registry, access) is { } visible
            ? TypedResults.Json(
                new ReceiptList(await promotions.ReceiptsOfAsync(visible, context.RequestAborted)),
                PromotionJson.Default.ReceiptList
            )
            : await NotFoundAsync(context, writer, name, version);

    private static async Task<Results<ContentHttpResult, ProblemHttpResult>> GetAsync(
        string name,
        int version,
        Guid id,
        HttpContext context,
        IPromotions promotions,
        IRegistryReader registry,
        IAccess access,
        IWriter writer
    )
    {
        if (
            await VisibleAsync(name, version, context, registry, access) is not { } visible
            || !(await promotions.ReceiptsOfAsync(visible, context.RequestAborted)).Contains(id)
        )
        {
            return await NotFoundAsync(context, writer, name, version);
        }

        return await promotions.ReceiptAsync(id, context.RequestAborted) is JsonObject receipt
            ? TypedResults.Text(CanonicalJson.SerializeToString(receipt), "application/json")
            : Failure
                .Conflict(
                    "promotion.receipt_pending",
                    "The log entry is not under a checkpoint yet, or not under one that enough witnesses cosigned; try again in a second."
                )
                .ToProblem();
    }

    private static async Task<ModelVersionRef?> VisibleAsync(
        string name,
        int version,
        HttpContext context,
        IRegistryReader registry,
        IAccess access
    )
    {
        var rights = await access.RightsOfAsync(context.GetActor(), context.RequestAborted);
        var view = await registry.FindVersionAsync(new ModelVersionRef(name, version), context.RequestAborted);
        return view is not null && rights.Allows(Permissions.EvidenceRead, view.Target) ? view.Ref : null;
    }

    private static Task<ProblemHttpResult> NotFoundAsync(
        HttpContext context,
        IWriter writer,
        string name,
        int version
    ) =>
        context.RefuseAsync(
            writer,
            "promotion.receipt_refused",
            Urn.Version(new ModelVersionRef(name, version)),
            Failure.NotFound("promotion.receipt_not_found", "There is no such receipt.")
        );
}
