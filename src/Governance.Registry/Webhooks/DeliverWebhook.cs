using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Logging;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Webhooks;

/// <summary>
/// The durable job behind a delivery. What may pass (no connection, timeout, 408, 429, 5xx) is tried again with back-off; all
/// else, and an address that is not allowed, is the receiver's last word. The id stays the same over attempts.
/// </summary>
internal sealed class DeliverWebhook(IDbContextFactory<GovernanceDb> databases, IWriter writer, WebhookSender sender)
    : IJobHandler
{
    public const string JobKind = "registry.deliver_webhook";

    public string Kind => JobKind;

    public async Task RunAsync(string payload, CancellationToken cancellationToken)
    {
        WebhookDeliveryRow? delivery;
        WebhookRow? webhook;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            delivery = await db.Set<WebhookDeliveryRow>()
                .AsNoTracking()
                .SingleOrDefaultAsync(row => row.Id == payload, cancellationToken);
            webhook = delivery is null
                ? null
                : await db.Set<WebhookRow>()
                    .AsNoTracking()
                    .SingleOrDefaultAsync(row => row.Id == delivery.WebhookId, cancellationToken);
        }

        if (delivery is null)
        {
            return;
        }

        if (webhook is null || webhook.Disabled)
        {
            await EndAsync(payload, "registry.webhook_undelivered", "withdrawn", null, cancellationToken);
            return;
        }

        int status;
        try
        {
            status = await sender.SendAsync(webhook, delivery.Id, delivery.Body, cancellationToken);
        }
        catch (Exception exception) when (WebhookSender.Reason(exception) == Engine.OutboundPolicy.Forbidden.Code)
        {
            await EndAsync(
                payload,
                "registry.webhook_undelivered",
                Engine.OutboundPolicy.Forbidden.Code,
                null,
                cancellationToken
            );
            return;
        }

        if (status is 408 or 429 or >= 500)
        {
            throw new HttpRequestException("The receiver asked to be tried again.");
        }

        var taken = status is >= 200 and < 300;
        await EndAsync(
            payload,
            taken ? "registry.webhook_delivered" : "registry.webhook_undelivered",
            taken ? "" : "answer",
            status,
            cancellationToken
        );
    }

    public Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken) =>
        EndAsync(payload, "registry.webhook_undelivered", "unreachable", null, cancellationToken);

    private async Task EndAsync(string id, string kind, string reason, int? status, CancellationToken cancellationToken)
    {
        var ended = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (await session.Db.Set<WebhookDeliveryRow>().FindAsync([id], token) is not { } delivery)
                {
                    return default(Unit);
                }

                session.Db.Remove(delivery);
                var details = new JsonObject { ["delivery"] = id, ["event"] = delivery.EventKey };
                if (reason.Length > 0)
                {
                    details["reason"] = reason;
                }

                if (status is { } code)
                {
                    details["status"] = code;
                }

                await session.LogAsync(
                    new LogEntry(
                        kind,
                        Actor.System,
                        $"webhook:{delivery.WebhookId}",
                        reason.Length == 0 ? LogOutcome.Done : LogOutcome.Refused
                    )
                    {
                        Details = details,
                    },
                    token
                );
                return default(Unit);
            },
            cancellationToken
        );
        if (!ended.Ok)
        {
            throw new InvalidOperationException(ended.Failure.Code);
        }
    }
}
