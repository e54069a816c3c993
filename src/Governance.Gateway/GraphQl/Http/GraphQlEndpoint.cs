using System.Text.Json.Nodes;
using Governance.Gateway.GraphQl.Guard;
using Governance.Kernel;
using Governance.Platform.Web;
using GraphQL;
using Microsoft.AspNetCore.Http;

namespace Governance.Gateway.GraphQl.Http;

/// <summary>The HTTP side of <c>/graphql</c>: who may knock, in which form, and how an answer is sent.</summary>
internal sealed class GraphQlEndpoint(
    GraphQlExecution execution,
    RequestReader reader,
    IGraphQLTextSerializer serializer
)
{
    /// <summary>A header that a form or image of another site cannot set: asked of requests that ride on a cookie.</summary>
    public const string PreflightHeader = "GraphQL-Require-Preflight";

    public async Task HandleAsync(HttpContext context)
    {
        var type = MediaTypes.Negotiate(context.Request.Headers.Accept);
        try
        {
            var actor = context.GetActor();
            CheckCaller(context, actor);
            if (type is null)
            {
                throw new RequestRefused(
                    StatusCodes.Status406NotAcceptable,
                    "NOT_ACCEPTABLE",
                    "Answers are application/graphql-response+json or application/json; event streams are not served."
                );
            }

            var request = await reader.ReadAsync(context);
            var result = await execution.RunAsync(request, actor, context, context.RequestAborted);
            context.Response.StatusCode = StatusOf(result, type);
            if (context.Response.StatusCode == StatusCodes.Status405MethodNotAllowed)
            {
                context.Response.Headers.Allow = "POST";
            }
            else if (context.Response.StatusCode == StatusCodes.Status401Unauthorized)
            {
                FailureResults.Challenge(context.Response, result.Errors!.OfType<CallerRefused>().First().Failure);
            }

            await SendAsync(
                context,
                type,
                () => serializer.WriteAsync(context.Response.Body, result, context.RequestAborted)
            );
        }
        catch (RequestRefused refused)
        {
            context.Response.StatusCode = refused.Status;
            var body = new JsonObject
            {
                ["errors"] = new JsonArray(
                    new JsonObject
                    {
                        ["message"] = refused.Message,
                        ["extensions"] = new JsonObject { ["code"] = refused.Code },
                    }
                ),
            };
            await SendAsync(
                context,
                type ?? MediaTypes.Json,
                () => context.Response.WriteAsync(body.ToJsonString(), context.RequestAborted)
            );
        }
    }

    /// <summary>
    /// The status of an executed request. <c>application/json</c> answers 200 to everything well-formed; the newer type
    /// answers 4xx when nothing was executed.
    /// </summary>
    private static int StatusOf(ExecutionResult result, string type) =>
        result.Errors?.Any(error => error is QueriesOnly) == true ? StatusCodes.Status405MethodNotAllowed
        : result.Executed || type == MediaTypes.Json ? StatusCodes.Status200OK
        : result.Errors?.OfType<CallerRefused>().FirstOrDefault() is { } refused
            ? FailureResults.StatusOf(refused.Failure.Kind)
        : result.Errors?.Any(error => error is PermissionDenied) == true ? StatusCodes.Status403Forbidden
        : StatusCodes.Status400BadRequest;

    private static void CheckCaller(HttpContext context, Actor actor)
    {
        var request = context.Request;
        if (actor.Kind == ActorKind.Anonymous)
        {
            throw new RequestRefused(StatusCodes.Status401Unauthorized, "UNAUTHENTICATED", "Sign in or send a token.");
        }

        if (request.Headers.Upgrade.Count > 0 || context.WebSockets.IsWebSocketRequest)
        {
            throw new RequestRefused(
                StatusCodes.Status501NotImplemented,
                "SUBSCRIPTIONS_NOT_SERVED",
                "Subscriptions are not served; ask again with a query."
            );
        }

        var origin = request.Headers.Origin;
        var site = request.Headers["Sec-Fetch-Site"];
        var foreign =
            (origin.Count > 0 && !IsOwn(origin.ToString(), request))
            || (
                HttpMethods.IsGet(request.Method) && site.Count > 0 && site.ToString() is not ("same-origin" or "none")
            );
        var riding = request.Headers.Authorization.Count == 0 && !request.Headers.ContainsKey(PreflightHeader);
        if (foreign || riding)
        {
            throw new RequestRefused(
                StatusCodes.Status403Forbidden,
                "CROSS_SITE",
                $"Send a bearer token, or from a page of this site the header {PreflightHeader}."
            );
        }
    }

    private static bool IsOwn(string origin, HttpRequest request) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri)
        && string.Equals(uri.Scheme, request.Scheme, StringComparison.OrdinalIgnoreCase)
        && string.Equals(uri.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase);

    private static Task SendAsync(HttpContext context, string type, Func<Task> write)
    {
        context.Response.ContentType = $"{type}; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        return write();
    }
}
