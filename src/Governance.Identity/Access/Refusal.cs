using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Http;

namespace Governance.Identity.Access;

/// <summary>An answer of the gate itself, in the words of the protocol that the path belongs to.</summary>
internal sealed record Refusal(int Status, string Code, string MlflowCode, string Message)
{
    public static readonly Refusal NoRoute = new(404, "route.unknown", "ENDPOINT_NOT_FOUND", "There is nothing here.");
    public static readonly Refusal NoToken = new(
        401,
        "identity.unauthenticated",
        "UNAUTHENTICATED",
        "A bearer token is needed."
    );
    public static readonly Refusal BadToken = new(
        401,
        "identity.invalid_token",
        "UNAUTHENTICATED",
        "The token is not valid: expired, revoked or not from here."
    );
    public static readonly Refusal Denied = new(
        403,
        "identity.denied",
        "PERMISSION_DENIED",
        "None of your roles may do this."
    );
    public static readonly Refusal Ended = new(
        401,
        "identity.ended",
        "UNAUTHENTICATED",
        "The account, session, token or right was taken away while the request was under way."
    );
    public static readonly Refusal TooMany = new(
        429,
        "identity.rate_limited",
        "REQUEST_LIMIT_EXCEEDED",
        "Too many attempts; wait a minute."
    );

    /// <summary>A failure that the gate found.</summary>
    public static Refusal Of(Failure failure) =>
        failure.Kind == FailureKind.Reauthenticate
            ? new(401, failure.Code, "UNAUTHENTICATED", failure.Message)
            : new(403, failure.Code, "PERMISSION_DENIED", failure.Message);

    public Task WriteAsync(HttpContext context)
    {
        var mlflow = MlflowPaths.Contains(context.Request.Path.Value ?? "");
        context.Response.StatusCode = Status;
        context.Response.Headers.CacheControl = "no-store";
        context.Response.ContentType = mlflow ? "application/json" : "application/problem+json";
        var body = mlflow
            ? new JsonObject { ["error_code"] = MlflowCode, ["message"] = Message }
            : new JsonObject
            {
                ["status"] = Status,
                ["title"] = Message,
                ["code"] = Code,
            };
        return HttpMethods.IsHead(context.Request.Method)
            ? Task.CompletedTask
            : context.Response.WriteAsync(body.ToJsonString(), context.RequestAborted);
    }
}
