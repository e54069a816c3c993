using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Logging;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Governance.Registry.Webhooks;

/// <summary>
/// The durable job behind all that waits for one webhook, a message at a time. What may pass (no connection, timeout, 408, 429,
/// 5xx) makes the webhook wait, not the message: 2, 4, 8 … seconds, at most an hour, until the receiver takes something. A
/// receiver that does not answer costs one attempt in that time, whatever waits for it; what is older than
/// <see cref="RegistryOptions.WebhookRetryHours"/> by then goes with it. All else, and an address that is not allowed, is the
/// receiver's last word. The id stays the same over attempts.
/// </summary>
internal sealed class DeliverWebhook(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    WebhookSender sender,
    IOptions<RegistryOptions> options,
    TimeProvider clock
) : IJobHandler
{
    public const string JobKind = "registry.deliver_webhook";
    private const string Delivered = "delivered";
    private const int DroppedTogether = 100;
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    public string Kind => JobKind;

    public static JobRequest Request(string webhookId) => new(JobKind, webhookId, webhookId) { Outbound = true };

    /// <summary>Lets what waits for a webhook be looked at now: whoever mended it need not wait for its next turn.</summary>
    public static async Task HurryAsync(WriteSession session, string webhookId, CancellationToken cancellationToken)
    {
        await session
            .Db.Set<JobRow>()
            .Where(job => job.Kind == JobKind && job.Key == webhookId && job.State == JobState.Waiting)
            .ExecuteUpdateAsync(job => job.SetProperty(row => row.DueAt, session.Now), cancellationToken);
        await session.EnqueueAsync(Request(webhookId), cancellationToken);
    }

    public async Task RunAsync(string payload, CancellationToken cancellationToken)
    {
        var (webhook, delivery) = await NextAsync(payload, cancellationToken);
        if (delivery is null)
        {
            return;
        }

        if (webhook is null || webhook.Disabled)
        {
            await DropAsync(payload, long.MaxValue, "withdrawn", null, cancellationToken);
            return;
        }

        var now = clock.GetUtcNow();
        var wait = DateTimeOffset.FromUnixTimeMilliseconds(webhook.RetryMs) - now;
        var (status, reason) = (webhook.AnswerStatus, webhook.Outcome);
        if (wait <= TimeSpan.Zero)
        {
            (status, reason) = await SendAsync(webhook, delivery, cancellationToken);
            if (reason == OutboundPolicy.Forbidden.Code || status is not (null or 408 or 429 or >= 500))
            {
                await EndAsync(delivery, reason, status, cancellationToken);
                return;
            }

            wait = WaitAfter(webhook.Failures + 1);
            await RememberAsync(payload, status, reason, now + wait, cancellationToken);
        }

        var tooOld = now.AddHours(-options.Value.WebhookRetryHours).ToUnixTimeMilliseconds();
        await DropAsync(payload, tooOld, reason, status, cancellationToken);
        throw new JobPostponedException(wait);
    }

    public async Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken)
    {
        if (await NextAsync(payload, cancellationToken) is (_, { } delivery))
        {
            await EndAsync(delivery, "failed", null, cancellationToken);
        }
    }

    /// <summary>2, 4, 8, … seconds, at most an hour.</summary>
    internal static TimeSpan WaitAfter(int failures) =>
        TimeSpan.FromSeconds(Math.Min(Math.Pow(2, failures), LongestWait.TotalSeconds));

    internal static Task LogEndAsync(
        WriteSession session,
        string webhookId,
        string eventKey,
        string deliveryId,
        string reason,
        int? status,
        CancellationToken cancellationToken
    )
    {
        var taken = reason == Delivered;
        var details = new JsonObject { ["event"] = eventKey };
        if (deliveryId.Length > 0)
        {
            details["delivery"] = deliveryId;
        }

        if (!taken)
        {
            details["reason"] = reason;
        }

        if (status is { } code)
        {
            details["status"] = code;
        }

        return session.LogAsync(
            new LogEntry(
                taken ? "registry.webhook_delivered" : "registry.webhook_undelivered",
                Actor.System,
                $"webhook:{webhookId}",
                taken ? LogOutcome.Done : LogOutcome.Refused
            )
            {
                Details = details,
            },
            cancellationToken
        );
    }

    private async Task<(int? Status, string Reason)> SendAsync(
        WebhookRow webhook,
        WebhookDeliveryRow delivery,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var status = await sender.SendAsync(webhook, delivery.Id, delivery.Body, cancellationToken);
            return (status, status is >= 200 and < 300 ? Delivered : "answer");
        }
        catch (Exception exception)
            when (exception is HttpRequestException or IOException or OperationCanceledException
                && !cancellationToken.IsCancellationRequested
            )
        {
            return (null, WebhookSender.Reason(exception));
        }
    }

    // The oldest message, or after failures each in turn: one that its receiver chokes on does not keep the others back.
    private async Task<(WebhookRow? Webhook, WebhookDeliveryRow? Delivery)> NextAsync(
        string webhookId,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var webhook = await db.Set<WebhookRow>()
            .AsNoTracking()
            .SingleOrDefaultAsync(row => row.Id == webhookId, cancellationToken);
        var waiting = db.Set<WebhookDeliveryRow>().AsNoTracking().Where(row => row.WebhookId == webhookId);
        var turn = 0;
        if (webhook is { Failures: > 0 } && await waiting.CountAsync(cancellationToken) is > 0 and var count)
        {
            turn = webhook.Failures % count;
        }

        var id = await waiting
            .OrderBy(row => row.Id)
            .Select(row => row.Id)
            .Skip(turn)
            .FirstOrDefaultAsync(cancellationToken);
        return (webhook, await waiting.SingleOrDefaultAsync(row => row.Id == id, cancellationToken));
    }

    private Task RememberAsync(
        string webhookId,
        int? status,
        string reason,
        DateTimeOffset retry,
        CancellationToken cancellationToken
    ) =>
        WriteAsync(
            async (session, token) =>
            {
                if (await session.Db.Set<WebhookRow>().FindAsync([webhookId], token) is { } webhook)
                {
                    Note(webhook, session.Now, status, reason);
                    webhook.RetryMs = retry.ToUnixTimeMilliseconds();
                }
            },
            cancellationToken
        );

    private Task EndAsync(WebhookDeliveryRow ended, string reason, int? status, CancellationToken cancellationToken) =>
        WriteAsync(
            async (session, token) =>
            {
                var waiting = session.Db.Set<WebhookDeliveryRow>().Where(row => row.WebhookId == ended.WebhookId);
                if (await waiting.Where(row => row.Id == ended.Id).ExecuteDeleteAsync(token) == 0)
                {
                    return;
                }

                if (await session.Db.Set<WebhookRow>().FindAsync([ended.WebhookId], token) is { } webhook)
                {
                    Note(webhook, session.Now, status, reason);
                    webhook.RetryMs = 0;
                }

                await LogEndAsync(session, ended.WebhookId, ended.EventKey, ended.Id, reason, status, token);
                if (await waiting.AnyAsync(token))
                {
                    await session.EnqueueAsync(Request(ended.WebhookId), token);
                }
            },
            cancellationToken
        );

    // What waits since before a time, in small units: each message has its log entry.
    private async Task DropAsync(
        string webhookId,
        long before,
        string reason,
        int? status,
        CancellationToken cancellationToken
    )
    {
        int dropped;
        do
        {
            dropped = 0;
            await WriteAsync(
                async (session, token) =>
                {
                    var waiting = session.Db.Set<WebhookDeliveryRow>();
                    var old = await waiting
                        .Where(row => row.WebhookId == webhookId && row.CreatedMs < before)
                        .OrderBy(row => row.Id)
                        .Select(row => new { row.Id, row.EventKey })
                        .Take(DroppedTogether)
                        .ToListAsync(token);
                    var ids = old.Select(row => row.Id).ToList();
                    await waiting.Where(row => ids.Contains(row.Id)).ExecuteDeleteAsync(token);
                    foreach (var row in old)
                    {
                        await LogEndAsync(session, webhookId, row.EventKey, row.Id, reason, status, token);
                    }

                    dropped = old.Count;
                },
                cancellationToken
            );
        } while (dropped == DroppedTogether);
    }

    private static void Note(WebhookRow webhook, DateTimeOffset now, int? status, string reason)
    {
        (webhook.TriedMs, webhook.AnswerStatus, webhook.Outcome) = (now.ToUnixTimeMilliseconds(), status, reason);
        webhook.Failures = reason == Delivered ? 0 : webhook.Failures + 1;
    }

    private async Task WriteAsync(
        Func<WriteSession, CancellationToken, Task> change,
        CancellationToken cancellationToken
    )
    {
        var written = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await change(session, token);
                return default(Unit);
            },
            cancellationToken
        );
        if (!written.Ok)
        {
            throw new InvalidOperationException(written.Failure.Code);
        }
    }
}
