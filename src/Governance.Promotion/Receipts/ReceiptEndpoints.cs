using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
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
        IAccess access
    ) =>
        await VisibleAsync(name, version, context, registry, access) is { } visible
            ? TypedResults.Json(
                new ReceiptList(await promotions.ReceiptsOfAsync(visible, context.RequestAborted)),
                PromotionJson.Default.ReceiptList
            )
            : NotFound();

    private static async Task<Results<ContentHttpResult, ProblemHttpResult>> GetAsync(
        string name,
        int version,
        Guid id,
        HttpContext context,
        IPromotions promotions,
        IRegistryReader registry,
        IAccess access
    )
    {
        if (
            await VisibleAsync(name, version, context, registry, access) is not { } visible
            || !(await promotions.ReceiptsOfAsync(visible, context.RequestAborted)).Contains(id)
        )
        {
            return NotFound();
        }

        return await promotions.ReceiptAsync(id, context.RequestAborted) is JsonObject receipt
            ? TypedResults.Text(receipt.ToJsonString(), "application/json")
            : Failure
                .Conflict(
                    "promotion.receipt_pending",
                    "The log entry is not under a checkpoint yet; try again in a second."
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

    private static ProblemHttpResult NotFound() =>
        Failure.NotFound("promotion.receipt_not_found", "There is no such receipt.").ToProblem();
}
