using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Governance.Registry.Wire;

/// <summary>A JSON route of MLflow, relative to <c>/api/2.0/mlflow</c>.</summary>
internal sealed record MlflowRoute(
    string Method,
    string Path,
    Permission Permission,
    Func<Call, Task<Result<JsonObject>>> Handle
);

/// <summary>Serves JSON routes: parse, authorise, handle, answer; logs refusals before it answers.</summary>
internal static partial class Dispatcher
{
    public static void Map(IEndpointRouteBuilder routes, string prefix, IEnumerable<MlflowRoute> table)
    {
        foreach (var route in table)
        {
            routes
                .MapMethods($"{prefix}/{route.Path}", [route.Method], context => ServeAsync(context, route))
                .RequirePermission(route.Permission);
        }

        routes
            .Map(
                $"{prefix}/{{**rest}}",
                context =>
                    MlflowErrors.WriteAsync(context, NotServed.At(context.Request.RouteValues["rest"] as string ?? ""))
            )
            .RequirePermission(Permissions.Public);
    }

    private static Task ServeAsync(HttpContext context, MlflowRoute route) =>
        GuardAsync(
            context,
            async ports =>
            {
                var args = HttpMethods.IsGet(route.Method)
                    ? Args.OfQuery(context.Request.Query)
                    : await JsonBodies.ReadAsync(context, ports.Options.Value.MaxJsonBytes);
                if (!args.Ok)
                {
                    await MlflowErrors.WriteAsync(context, args.Failure);
                    return;
                }

                var rights = await ports.Access.RightsOfAsync(context.GetActor(), context.RequestAborted);
                var call = new Call(ports, rights, args.Value, context.RequestAborted)
                {
                    RouteId = context.Request.RouteValues["id"] as string ?? "",
                    RouteKey = context.Request.RouteValues["key"] as string ?? "",
                };
                var result = await HandleAsync(route, call);
                if (
                    HttpMethods.IsGet(route.Method)
                    && !result.Ok
                    && result.Failure.Kind == FailureKind.NotFound
                    && call.Refused is null
                    && await ports.Latecomers.AdoptAsync(call, route.Path)
                )
                {
                    result = await HandleAsync(route, call);
                }

                if (result.Ok)
                {
                    await JsonBodies.WriteAsync(context, result.Value);
                    return;
                }

                await RefuseAsync(context, call, $"{route.Method} {route.Path}", result.Failure);
            }
        );

    private static async Task<Result<JsonObject>> HandleAsync(MlflowRoute route, Call call)
    {
        try
        {
            return await route.Handle(call);
        }
        catch (RefusedException refused)
        {
            return refused.Failure;
        }
    }

    /// <summary>Commits the refusal, then answers it.</summary>
    public static async Task RefuseAsync(HttpContext context, Call call, string route, Failure failure)
    {
        // Refusals of the move gate (promotion.*) were logged by the gate in a transaction of their own.
        var gates = failure.Code.StartsWith("promotion.", StringComparison.Ordinal);
        if (!gates && (call.Refused is not null || failure.Kind is FailureKind.Denied or FailureKind.Conflict))
        {
            var details = new JsonObject { ["code"] = failure.Code, ["route"] = route };
            if (call.Refused is { } refused)
            {
                details["permission"] = refused.Permission.Name;
                details["object"] = $"{refused.Target.Kind}:{refused.Target.Name}";
            }

            await call.Ports.Writer.LogAsync(
                new LogEntry("registry.refused", call.Actor, "", LogOutcome.Refused) { Details = details },
                context.RequestAborted
            );
        }

        await MlflowErrors.WriteAsync(context, failure);
    }

    /// <summary>Whatever breaks becomes MLflow's JSON error; bad input never gets here.</summary>
    public static async Task GuardAsync(HttpContext context, Func<RegistryPorts, Task> serve)
    {
        var ports = context.RequestServices.GetRequiredService<RegistryPorts>();
        try
        {
            await serve(ports);
        }
        catch (BadHttpRequestException bad)
        {
            await MlflowErrors.WriteAsync(
                context,
                Failure.Invalid("registry.bad_request", "The request is malformed.")
            );
            LogBadRequest(ports.Logger, bad.StatusCode);
        }
        // What Kestrel makes of a chunk whose length overflows.
        catch (IOException bad) when (bad.InnerException is OverflowException && !context.Response.HasStarted)
        {
            await MlflowErrors.WriteAsync(
                context,
                Failure.Invalid("registry.bad_request", "The request is malformed.")
            );
            LogBadRequest(ports.Logger, StatusCodes.Status400BadRequest);
        }
        catch (KeyUnavailableException unavailable) when (!context.Response.HasStarted)
        {
            LogKeyUnavailable(ports.Logger, unavailable.Message);
            await MlflowErrors.WriteAsync(context, KeyUnavailableException.Failure);
        }
        catch (Exception broken) when (!context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
        {
            // An exception's text may hold rows, paths or tokens: its type and where it came from are enough.
            LogBroken(
                ports.Logger,
                broken.GetType().Name,
                broken.InnerException?.GetType().Name ?? "",
                broken.StackTrace ?? ""
            );
            context.Response.Clear();
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
            await JsonBodies.WriteAsync(
                context,
                new JsonObject { ["error_code"] = "INTERNAL_ERROR", ["message"] = "The gateway failed; see its log." }
            );
        }
    }

    [LoggerMessage(4000, LogLevel.Error, "A registry request failed: {ExceptionType} ({InnerType}) {StackTrace}")]
    private static partial void LogBroken(ILogger logger, string exceptionType, string innerType, string stackTrace);

    [LoggerMessage(4002, LogLevel.Error, "{Reason}")]
    private static partial void LogKeyUnavailable(ILogger logger, string reason);

    [LoggerMessage(4001, LogLevel.Information, "A request was malformed: {Status}.")]
    private static partial void LogBadRequest(ILogger logger, int status);
}
