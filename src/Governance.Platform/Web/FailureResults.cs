using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Primitives;

namespace Governance.Platform.Web;

/// <summary>The one place that maps a <see cref="Failure"/> to HTTP for our own API (RFC 9457 problem details).</summary>
public static class FailureResults
{
    /// <summary>The status of a kind of failure.</summary>
    public static int StatusOf(FailureKind kind) =>
        kind switch
        {
            FailureKind.Invalid => StatusCodes.Status400BadRequest,
            FailureKind.NotFound => StatusCodes.Status404NotFound,
            FailureKind.Denied => StatusCodes.Status403Forbidden,
            FailureKind.Reauthenticate => StatusCodes.Status401Unauthorized,
            FailureKind.Conflict or FailureKind.Exists => StatusCodes.Status409Conflict,
            FailureKind.TooLarge => StatusCodes.Status413PayloadTooLarge,
            FailureKind.Unavailable => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status501NotImplemented,
        };

    /// <summary>Commits the refusal to the log, then answers it (invariant 2).</summary>
    public static async Task<ProblemHttpResult> RefuseAsync(
        this HttpContext context,
        IWriter writer,
        string kind,
        string subject,
        Failure failure
    )
    {
        var entry = new LogEntry(kind, context.GetActor(), subject.Length > 400 ? "" : subject, LogOutcome.Refused)
        {
            Details = new JsonObject { ["code"] = failure.Code },
        };
        await writer.LogAsync(entry, context.RequestAborted);
        Challenge(context.Response, failure);
        return failure.ToProblem();
    }

    /// <summary>
    /// Says what would do instead, where that is a proof of who asks: a fresh sign-in with the age that counts (RFC 9470 §3),
    /// else a token bound to a key (RFC 9449 §7.1) or, in the other scheme, to a certificate (RFC 8705).
    /// </summary>
    public static void Challenge(HttpResponse response, Failure failure)
    {
        if (failure.Kind != FailureKind.Reauthenticate)
        {
            return;
        }

        response.Headers.WWWAuthenticate = failure.MaxAge is { } age
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"Bearer realm=\"governance\", error=\"insufficient_user_authentication\", error_description=\"A more recent or stronger sign-in is needed.\", max_age={(long)age.TotalSeconds}"
            )
            : new StringValues([
                "DPoP realm=\"governance\", error=\"invalid_token\", error_description=\"This needs a bound token.\"",
                "Bearer realm=\"governance\"",
            ]);
    }

    /// <summary>Problem details with members <c>code</c> and <c>reasons</c>.</summary>
    public static ProblemHttpResult ToProblem(this Failure failure)
    {
        var extensions = new Dictionary<string, object?>(StringComparer.Ordinal) { ["code"] = failure.Code };
        if (failure.Reasons.Count > 0)
        {
            extensions["reasons"] = failure.Reasons;
        }

        return TypedResults.Problem(failure.Message, statusCode: StatusOf(failure.Kind), extensions: extensions);
    }
}
