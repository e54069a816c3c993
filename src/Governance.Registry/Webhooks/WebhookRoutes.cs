using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Webhooks;

/// <summary>MLflow's webhook routes.</summary>
internal static class WebhookRoutes
{
    private const int MaxWebhooks = 100;
    private static readonly string[] EventMembers = ["events", "gateway_events"];
    private static readonly string[] Statuses = ["ACTIVE", "DISABLED"];

    public static IEnumerable<MlflowRoute> All =>
        [
            Route("POST", "webhooks", CreateAsync),
            Route("GET", "webhooks", ListAsync),
            Route("GET", "webhooks/{id}", GetAsync),
            Route("PATCH", "webhooks/{id}", UpdateAsync),
            Route("DELETE", "webhooks/{id}", DeleteAsync),
            Route("POST", "webhooks/{id}/test", TestAsync),
        ];

    // A webhook hears of every model: the right on some of them does not suffice.
    private static MlflowRoute Route(string method, string path, Func<Call, Task<Result<JsonObject>>> handle) =>
        new(
            method,
            path,
            Permissions.WebhookManage,
            call =>
                call.May(Permissions.WebhookManage, AccessTarget.Global)
                    ? handle(call)
                    : Task.FromResult<Result<JsonObject>>(
                        Failure.Denied("registry.denied", "Permission webhook:manage is needed, granted globally.")
                    )
        );

    private static string Subject(string id) => $"webhook:{id}";

    private static Task<Result<JsonObject>> CreateAsync(Call call)
    {
        var (name, url) = (Name(call.Args.Required("name")), call.Args.Required("url", OutboundPolicy.MaxUrl));
        var events = Events(call.Args) ?? throw new RefusedException(RegistryNames.MissingParameter("events"));
        var description = call.Args.Optional("description", 1000) ?? "";
        var disabled = Disabled(call.Args);
        var secret = call.Args.Optional("secret", 1000);
        if (call.Ports.Webhooks.Policy.Check(url) is { } refused)
        {
            return Refuse(call, refused);
        }

        return ChangeAsync(
            call,
            async session =>
            {
                if (await session.Db.Set<WebhookRow>().CountAsync(call.Token) >= MaxWebhooks)
                {
                    return Failure.Invalid("registry.too_many", $"There are at most {MaxWebhooks} webhooks.");
                }

                var now = session.Now.ToUnixTimeMilliseconds();
                var row = new WebhookRow
                {
                    Id = Guid.CreateVersion7(session.Now).ToString("D"),
                    Name = name,
                    Description = description,
                    Url = url,
                    Disabled = disabled ?? false,
                    Events = events,
                    CreatedMs = now,
                    UpdatedMs = now,
                };
                row.WrappedSecret = Wrap(call, row.Id, secret);
                session.Db.Add(row);
                await LogAsync(call, session, "registry.webhook_created", row);
                return row;
            }
        );
    }

    private static Task<Result<JsonObject>> UpdateAsync(Call call)
    {
        var name = call.Args.Optional("name") is { Length: > 0 } text ? Name(text) : null;
        var url = call.Args.Optional("url", OutboundPolicy.MaxUrl) is { Length: > 0 } given ? given : null;
        var (events, disabled) = (Events(call.Args), Disabled(call.Args));
        var description = call.Args.Optional("description", 1000);
        var secret = call.Args.Optional("secret", 1000);
        if (url is not null && call.Ports.Webhooks.Policy.Check(url) is { } refused)
        {
            return Refuse(call, refused);
        }

        return ChangeAsync(
            call,
            async session =>
            {
                var found = await FindAsync(call, session.Db);
                if (!found.Ok)
                {
                    return found.Failure;
                }

                var row = found.Value;
                // A new address must not be sent what was signed for the old one.
                if (url is not null && url != row.Url && row.WrappedSecret is not null && string.IsNullOrEmpty(secret))
                {
                    return Failure.Invalid(
                        "registry.webhook_secret_needed",
                        "A new url needs a new secret in the same request."
                    );
                }

                (row.Name, row.Url, row.Events) = (name ?? row.Name, url ?? row.Url, events ?? row.Events);
                (row.Description, row.Disabled) = (description ?? row.Description, disabled ?? row.Disabled);
                row.WrappedSecret = Wrap(call, row.Id, secret) ?? row.WrappedSecret;
                (row.RetryMs, row.Failures) = (0, 0);
                row.UpdatedMs = session.Now.ToUnixTimeMilliseconds();
                await DeliverWebhook.HurryAsync(session, row.Id, call.Token);
                await LogAsync(call, session, "registry.webhook_updated", row);
                return row;
            }
        );
    }

    private static Task<Result<JsonObject>> DeleteAsync(Call call) =>
        call.WriteAsync(async session =>
        {
            var found = await FindAsync(call, session.Db);
            if (!found.Ok)
            {
                return found.Failure;
            }

            session.Db.Remove(found.Value);
            await DeliverWebhook.HurryAsync(session, found.Value.Id, call.Token);
            await LogAsync(call, session, "registry.webhook_deleted", found.Value);
            return new JsonObject();
        });

    private static async Task<Result<JsonObject>> GetAsync(Call call)
    {
        await using var db = await call.OpenAsync();
        var found = await FindAsync(call, db);
        if (!found.Ok)
        {
            return found.Failure;
        }

        var waiting = await WaitingAsync(call, db, [found.Value.Id]);
        return new JsonObject { ["webhook"] = Json(found.Value, waiting.GetValueOrDefault(found.Value.Id)) };
    }

    private static Task<Dictionary<string, int>> WaitingAsync(Call call, GovernanceDb db, IReadOnlyList<string> ids) =>
        db.Set<WebhookDeliveryRow>()
            .Where(delivery => ids.Contains(delivery.WebhookId))
            .GroupBy(delivery => delivery.WebhookId)
            .ToDictionaryAsync(group => group.Key, group => group.Count(), call.Token);

    private static async Task<Result<JsonObject>> ListAsync(Call call)
    {
        var most = call.Args.Count("max_results", MaxWebhooks, 1, 1000);
        var offset = PageTokens.Read(call.Args.Optional("page_token"));
        if (!offset.Ok)
        {
            return offset.Failure;
        }

        await using var db = await call.OpenAsync();
        var rows = await db.Set<WebhookRow>()
            .AsNoTracking()
            .OrderBy(row => row.Id)
            .Skip(offset.Value)
            .Take(most + 1)
            .ToListAsync(call.Token);
        var waiting = await WaitingAsync(call, db, [.. rows.Select(row => row.Id)]);
        return new JsonObject()
            .With("webhooks", rows.Take(most).Select(row => Json(row, waiting.GetValueOrDefault(row.Id))).ToJsonArray())
            .With("next_page_token", rows.Count > most ? PageTokens.Write(offset.Value + most) : null);
    }

    /// <summary>Sends an example at once. The receiver's answer is told by its status only: nothing is read through the gateway.</summary>
    private static async Task<Result<JsonObject>> TestAsync(Call call)
    {
        var asked = call.Args.Object("event");
        WebhookRow webhook;
        await using (var db = await call.OpenAsync())
        {
            var found = await FindAsync(call, db);
            if (!found.Ok)
            {
                return found.Failure;
            }

            webhook = found.Value;
        }

        var told = asked is null ? Told(webhook).First() : Event(asked);
        var now = call.Ports.Clock.GetUtcNow();
        var delivery = Guid.CreateVersion7(now).ToString("D");
        var body = Announce.Body(told, now, new JsonObject { ["name"] = "example_model", ["version"] = "1" });
        await call.Ports.Writer.LogAsync(
            new LogEntry("registry.webhook_tested", call.Actor, Subject(webhook.Id), LogOutcome.Begun)
            {
                Details = new JsonObject { ["delivery"] = delivery, ["event"] = told.Key },
            },
            call.Token
        );
        JsonObject result;
        try
        {
            var status = await call.Ports.Webhooks.SendAsync(webhook, delivery, body, call.Token);
            result = new() { ["success"] = status is >= 200 and < 300, ["response_status"] = status };
        }
        catch (Exception failed)
            when (failed is HttpRequestException or IOException or OperationCanceledException
                && !call.Token.IsCancellationRequested
            )
        {
            result = new() { ["success"] = false, ["error_message"] = WebhookSender.Reason(failed) };
        }

        await call.Ports.Writer.LogAsync(
            new LogEntry("registry.webhook_tested", call.Actor, Subject(webhook.Id), LogOutcome.Done)
            {
                Details = new JsonObject { ["delivery"] = delivery, ["success"] = result["success"]!.DeepClone() },
            },
            CancellationToken.None
        );
        return new JsonObject { ["result"] = result };
    }

    private static Task<Result<JsonObject>> ChangeAsync(
        Call call,
        Func<WriteSession, Task<Result<WebhookRow>>> change
    ) =>
        call.WriteAsync(async session =>
        {
            var changed = await change(session);
            return changed.Map(row => new JsonObject { ["webhook"] = Json(row) });
        });

    private static async Task<Result<WebhookRow>> FindAsync(Call call, GovernanceDb db)
    {
        var id = call.RouteId;
        var row = await db.Set<WebhookRow>().SingleOrDefaultAsync(webhook => webhook.Id == id, call.Token);
        return row is not null
            ? row
            : Failure.NotFound("registry.webhook_not_found", $"Webhook with ID {RegistryNames.Quote(id)} not found.");
    }

    private static async Task LogAsync(Call call, WriteSession session, string kind, WebhookRow row)
    {
        await session.Db.SaveChangesAsync(call.Token);
        await call.LogAsync(
            session,
            kind,
            Subject(row.Id),
            new()
            {
                // An address may hold a token in its path: its host is what an auditor needs.
                ["host"] = new Uri(row.Url).IdnHost,
                ["events"] = row.Events.Trim('|'),
                ["disabled"] = row.Disabled,
                ["signed"] = row.WrappedSecret is not null,
            }
        );
    }

    private static Task<Result<JsonObject>> Refuse(Call call, Failure failure)
    {
        call.Refuse(Permissions.WebhookManage, AccessTarget.Global);
        return Task.FromResult<Result<JsonObject>>(failure);
    }

    private static JsonObject Json(WebhookRow row, int waiting = 0) =>
        new JsonObject { ["webhook_id"] = row.Id, ["name"] = row.Name }
            .With("description", row.Description.Length == 0 ? null : row.Description)
            .With("url", row.Url)
            .With("events", Told(row).Where(told => !told.IsOwn).Select(Json).ToJsonArray())
            .With("gateway_events", Told(row).Where(told => told.IsOwn).Select(Json).ToJsonArray())
            .With("status", Statuses[row.Disabled ? 1 : 0])
            .With("creation_timestamp", row.CreatedMs)
            .With("last_updated_timestamp", row.UpdatedMs)
            .With("last_delivery", row.TriedMs == 0 ? null : LastDelivery(row))
            .With("waiting_deliveries", waiting == 0 ? null : waiting);

    private static JsonObject LastDelivery(WebhookRow row) =>
        new JsonObject { ["timestamp"] = row.TriedMs, ["outcome"] = row.Outcome }
            .With("response_status", row.AnswerStatus)
            .With("failures", row.Failures == 0 ? null : row.Failures)
            .With("next_attempt_timestamp", row.RetryMs == 0 ? null : row.RetryMs);

    private static JsonObject Json(WebhookEvent told) => new() { ["entity"] = told.Entity, ["action"] = told.Action };

    private static IEnumerable<WebhookEvent> Told(WebhookRow row) =>
        row.Events.Trim('|').Split('|').Select(key => key.Split('.')).Select(key => new WebhookEvent(key[0], key[1]));

    private static string? Events(Args args)
    {
        var events = EventMembers
            .SelectMany(name => args.Objects(name, WebhookEvent.All.Count))
            .Select(Event)
            .Distinct()
            .ToList();
        // Stock clients cannot hold a webhook none of whose events they know: one such would keep them from listing any.
        return events.Count == 0 ? null
            : events.All(told => told.IsOwn) ? throw new RefusedException(WebhookEvent.OnlyOwn)
            : $"|{string.Join('|', events.Select(told => told.Key))}|";
    }

    private static WebhookEvent Event(Args args)
    {
        var read = WebhookEvent.Read(args.Required("entity", 64), args.Required("action", 64));
        return read.Ok ? read.Value : throw new RefusedException(read.Failure);
    }

    private static bool? Disabled(Args args) =>
        args.Optional("status", 20) switch
        {
            null or "" => null,
            "ACTIVE" => false,
            "DISABLED" => true,
            _ => throw new RefusedException(
                Failure.Invalid("registry.bad_status", $"A webhook's status is one of {string.Join(", ", Statuses)}.")
            ),
        };

    private static string Name(string text) =>
        RegistryNames.CheckName("webhook", text) is { } bad ? throw new RefusedException(bad) : text;

    private static byte[]? Wrap(Call call, string id, string? secret)
    {
        if (string.IsNullOrEmpty(secret))
        {
            return null;
        }

        var bytes = Encoding.UTF8.GetBytes(secret);
        try
        {
            return call.Ports.Keys.Wrap(bytes, WebhookSender.Purpose(id));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
