using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Http;

namespace Governance.Identity.Access;

/// <summary>Turns away what guesses or floods, before it costs a signature or a hash: 429, after the refusal is on record.</summary>
internal sealed class AttemptGate(
    RequestDelegate next,
    AttemptLimiter limiter,
    ActorReader actors,
    IWriter writer,
    AddressNames addresses
)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var flood = limiter.IsExhausted(context) && actors.IsStranger(context);
        if (!flood && limiter.Allows(context))
        {
            await next(context);
            return;
        }

        await TurnAwayAsync(context, writer, addresses);
    }

    /// <summary>429, after it is on record.</summary>
    public static async Task TurnAwayAsync(HttpContext context, IWriter writer, AddressNames addresses)
    {
        var entry = new LogEntry("access.rate_limited", Actor.Anonymous, "", LogOutcome.Refused)
        {
            Details = new JsonObject { ["code"] = Refusal.TooMany.Code, ["address"] = addresses.Of(context) },
        };
        await writer.LogAsync(entry, CancellationToken.None);
        context.Response.Headers.RetryAfter = "60";
        await Refusal.TooMany.WriteAsync(context);
    }
}
