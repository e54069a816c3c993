using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Http;

namespace Governance.Registry.Wire;

/// <summary>
/// The one place that maps a <see cref="Failure"/> to MLflow's errors. No refusal is 429 or 5xx, which stock clients retry for
/// minutes; the exceptions are 501, which makes them fall back to plain uploads, and a store that does not answer (503).
/// </summary>
internal static class MlflowErrors
{
    public static (int Status, string ErrorCode) Of(FailureKind kind) =>
        kind switch
        {
            FailureKind.Invalid => (StatusCodes.Status400BadRequest, "INVALID_PARAMETER_VALUE"),
            FailureKind.Exists => (StatusCodes.Status400BadRequest, "RESOURCE_ALREADY_EXISTS"),
            FailureKind.NotFound => (StatusCodes.Status404NotFound, "RESOURCE_DOES_NOT_EXIST"),
            FailureKind.Denied => (StatusCodes.Status403Forbidden, "PERMISSION_DENIED"),
            FailureKind.Reauthenticate => (StatusCodes.Status401Unauthorized, "UNAUTHENTICATED"),
            FailureKind.Conflict => (StatusCodes.Status409Conflict, "RESOURCE_CONFLICT"),
            FailureKind.TooLarge => (StatusCodes.Status413PayloadTooLarge, "INVALID_PARAMETER_VALUE"),
            FailureKind.Unavailable => (StatusCodes.Status503ServiceUnavailable, "TEMPORARILY_UNAVAILABLE"),
            _ => (StatusCodes.Status501NotImplemented, "NOT_IMPLEMENTED"),
        };

    public static async Task WriteAsync(HttpContext context, Failure failure)
    {
        var (status, errorCode) = Of(failure.Kind);
        var body = new JsonObject
        {
            ["error_code"] = failure.Code == NoEndpoint.Code ? "ENDPOINT_NOT_FOUND" : errorCode,
            // Clients show the message to people verbatim and nothing else.
            ["message"] =
                failure.Reasons.Count == 0 ? failure.Message : $"{failure.Message} {string.Join(" ", failure.Reasons)}",
            ["code"] = failure.Code,
        };
        if (failure.Reasons.Count > 0)
        {
            body["reasons"] = new JsonArray([.. failure.Reasons.Select(reason => JsonValue.Create(reason))]);
        }

        context.Response.StatusCode = status;
        FailureResults.Challenge(context.Response, failure);
        await JsonBodies.WriteAsync(context, body);
    }

    public static readonly Failure NoEndpoint = Failure.NotFound("registry.no_endpoint", "No such endpoint.");
}
