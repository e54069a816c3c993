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
/// The durable job behind a delivery. What may pass (no connection, timeout, 408, 429, 5xx) is tried again for
/// <see cref="RegistryOptions.WebhookRetryHours"/>, at once for all that waits for one receiver: while it does not answer, one
/// attempt in ever longer intervals stands for them all. All else, and an address that is not allowed, is the receiver's last
/// word. The id stays the same over attempts.
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
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

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
            await EndAsync(payload, "withdrawn", null, cancellationToken);
            return;
        }

        var now = clock.GetUtcNow();
        if (DateTimeOffset.FromUnixTimeMilliseconds(webhook.RetryMs) is var retry && retry > now)
        {
            throw new JobPostponedException(retry - now);
        }

        var (status, reason) = await SendAsync(webhook, delivery, cancellationToken);
        var mayPass = reason != OutboundPolicy.Forbidden.Code && status is null or 408 or 429 or >= 500;
        if (mayPass && now < LastAttempt(delivery))
        {
            var wait = WaitAfter(webhook.Failures + 1);
            await RememberAsync(webhook.Id, status, reason, now + wait, cancellationToken);
            throw new JobPostponedException(wait);
        }

        await EndAsync(payload, reason, status, cancellationToken);
    }

    public Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken) =>
        EndAsync(payload, "failed", null, cancellationToken);

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

    private DateTimeOffset LastAttempt(WebhookDeliveryRow delivery) =>
        DateTimeOffset.FromUnixTimeMilliseconds(delivery.CreatedMs).AddHours(options.Value.WebhookRetryHours);

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

    private Task EndAsync(string id, string reason, int? status, CancellationToken cancellationToken) =>
        WriteAsync(
            async (session, token) =>
            {
                if (await session.Db.Set<WebhookDeliveryRow>().FindAsync([id], token) is not { } delivery)
                {
                    return;
                }

                session.Db.Remove(delivery);
                if (await session.Db.Set<WebhookRow>().FindAsync([delivery.WebhookId], token) is { } webhook)
                {
                    Note(webhook, session.Now, status, reason);
                    webhook.RetryMs = 0;
                }

                await LogEndAsync(session, delivery.WebhookId, delivery.EventKey, id, reason, status, token);
            },
            cancellationToken
        );

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
