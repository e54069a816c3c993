using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Webhooks;

/// <summary>Writes what happened for every webhook that asked, in the transaction in which it happened.</summary>
internal static class Announce
{
    /// <summary>Most messages that wait for one receiver; what comes after is logged as undelivered.</summary>
    public const int MaxWaiting = 10_000;

    /// <summary>Most bytes of them.</summary>
    public const long MaxWaitingBytes = 32 << 20;

    private sealed record Listener(string Id, string Events);

    private const string Enabled = """SELECT "Id", "Events" FROM registry_webhooks WHERE NOT "Disabled" """;

    public static async Task AnnounceAsync(
        this WriteSession session,
        Guid modelId,
        WebhookEvent happened,
        JsonObject data,
        CancellationToken cancellationToken
    )
    {
        var webhooks = await session.Db.ReadAsync(
            Enabled,
            [],
            row => new Listener(row.GetString(0), row.GetString(1)),
            cancellationToken
        );
        if (webhooks.Count == 0)
        {
            return;
        }

        var model = LabelIds.Model(modelId);
        var isPrompt = await session
            .Db.Set<LabelRow>()
            .AnyAsync(
                tag =>
                    tag.Scope == LabelScope.ModelTag
                    && tag.ObjectId == model
                    && tag.Key == RegisterVersion.IsPrompt
                    && tag.Value == "true",
                cancellationToken
            );
        var told = isPrompt ? happened.OfPrompt() : happened;
        foreach (
            var webhook in webhooks.Where(webhook => webhook.Events.Contains($"|{told.Key}|", StringComparison.Ordinal))
        )
        {
            var body = Body(told, session.Now, data);
            var size = Encoding.UTF8.GetByteCount(body);
            if (await IsFullAsync(session, webhook.Id, size, cancellationToken))
            {
                await DeliverWebhook.LogEndAsync(session, webhook.Id, told.Key, "", "full", null, cancellationToken);
                continue;
            }

            var delivery = new WebhookDeliveryRow
            {
                Id = Guid.CreateVersion7(session.Now).ToString("D"),
                WebhookId = webhook.Id,
                EventKey = told.Key,
                Body = body,
                Size = size,
                CreatedMs = session.Now.ToUnixTimeMilliseconds(),
            };
            session.Db.Add(delivery);
            await session.EnqueueAsync(DeliverWebhook.Request(webhook.Id), cancellationToken);
        }

        await session.Db.SaveChangesAsync(cancellationToken);
    }

    private static async Task<bool> IsFullAsync(
        WriteSession session,
        string webhookId,
        int size,
        CancellationToken cancellationToken
    )
    {
        var waiting = await session
            .Db.Set<WebhookDeliveryRow>()
            .Where(delivery => delivery.WebhookId == webhookId)
            .GroupBy(_ => 1)
            .Select(all => new { Count = all.Count(), Bytes = all.Sum(delivery => (long)delivery.Size) })
            .SingleOrDefaultAsync(cancellationToken);
        return waiting is not null && (waiting.Count >= MaxWaiting || waiting.Bytes + size > MaxWaitingBytes);
    }

    /// <summary>A delivery's body as MLflow sends it: lower-case names, an ISO 8601 time and the data of the event.</summary>
    public static string Body(WebhookEvent told, DateTimeOffset at, JsonObject data) =>
        new JsonObject
        {
            ["entity"] = told.Entity.ToLowerInvariant(),
            ["action"] = told.Action.ToLowerInvariant(),
            ["timestamp"] = at.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'+00:00'", CultureInfo.InvariantCulture),
            ["data"] = data.DeepClone(),
        }.ToJsonString();

    public static JsonObject Tags(IEnumerable<(string Key, string Value)> tags)
    {
        var map = new JsonObject();
        foreach (var (key, value) in tags)
        {
            map[key] = value;
        }

        return map;
    }
}
