using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.AspNetCore.Http;

namespace Governance.Platform.Web;

/// <summary>Invariant 2: a sensitive read is in the log before its first byte leaves, and its end is logged too.</summary>
public static class SensitiveRead
{
    /// <summary>Commits the entry as begun; when the response has ended, commits <c>….ended</c> with its status.</summary>
    public static async Task BeginSensitiveReadAsync(this HttpContext context, IWriter writer, LogEntry entry)
    {
        await writer.LogAsync(entry with { Outcome = LogOutcome.Begun }, context.RequestAborted);
        context.Response.OnCompleted(() =>
            writer.LogAsync(
                entry with
                {
                    Outcome = LogOutcome.Done,
                    Details = new()
                    {
                        ["aborted"] = context.RequestAborted.IsCancellationRequested,
                        ["status"] = context.Response.StatusCode,
                    },
                },
                CancellationToken.None
            )
        );
    }
}
