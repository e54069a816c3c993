using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Keys;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Diagnostics;

namespace Governance.Gateway.Hosting;

/// <summary>What a client sees of a bug or a broken request: a code and a sentence, never a type, text or stack of ours.</summary>
internal static partial class ErrorAnswers
{
    /// <summary>The last net: turns an exception into an answer of the dialect of the path.</summary>
    public static async Task HandleAsync(HttpContext context)
    {
        var exception = context.Features.Get<IExceptionHandlerFeature>()?.Error;
        var status = StatusOf(exception);
        if (status == StatusCodes.Status500InternalServerError)
        {
            var logger = context
                .RequestServices.GetRequiredService<ILoggerFactory>()
                .CreateLogger("Governance.Gateway");
            Unhandled(
                logger,
                exception?.GetType().Name ?? "",
                exception?.StackTrace ?? "",
                exception?.InnerException?.GetType().Name ?? ""
            );
        }

        if (exception is KeyUnavailableException unavailable)
        {
            KeyUnavailable(
                context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("Governance.Gateway"),
                unavailable.Message
            );
        }

        AnswerHeaders.Set(context); // the error cleared them
        var (failure, mlflowCode) = status switch
        {
            StatusCodes.Status500InternalServerError => (
                new Failure(
                    FailureKind.Invalid,
                    "gateway.internal",
                    "The gateway failed to answer; the failure is in its log."
                ),
                "INTERNAL_ERROR"
            ),
            StatusCodes.Status503ServiceUnavailable => (KeyUnavailableException.Failure, "TEMPORARILY_UNAVAILABLE"),
            _ => (
                Failure.Invalid("gateway.bad_request", "The request is malformed or over a limit."),
                "INVALID_PARAMETER_VALUE"
            ),
        };
        await WriteAsync(context, failure, status, mlflowCode);
    }

    /// <summary>Answers a failure in the dialect of the path.</summary>
    public static async Task WriteAsync(HttpContext context, Failure failure, int status, string mlflowCode)
    {
        context.Response.StatusCode = status;
        if (MlflowPaths.Contains(context.Request.Path.Value ?? ""))
        {
            context.Response.ContentType = "application/json";
            var body = new JsonObject { ["error_code"] = mlflowCode, ["message"] = failure.Message };
            await context.Response.WriteAsync(body.ToJsonString(), context.RequestAborted);
            return;
        }

        var problem = failure.ToProblem();
        problem.ProblemDetails.Status = status;
        await TypedResults.Problem(problem.ProblemDetails).ExecuteAsync(context);
    }

    private static int StatusOf(Exception? exception)
    {
        if (exception is BadHttpRequestException bad)
        {
            return bad.StatusCode;
        }

        if (exception is KeyUnavailableException)
        {
            return StatusCodes.Status503ServiceUnavailable;
        }

        // An overflow is what Kestrel makes of a chunk with an endless length.
        return exception is IOException && exception.InnerException is OverflowException
            ? StatusCodes.Status400BadRequest
            : StatusCodes.Status500InternalServerError;
    }

    [LoggerMessage(9001, LogLevel.Error, "{Reason}")]
    private static partial void KeyUnavailable(ILogger logger, string reason);

    [LoggerMessage(9000, LogLevel.Error, "Unhandled {ExceptionType} ({InnerType}) {StackTrace}")]
    private static partial void Unhandled(ILogger logger, string exceptionType, string stackTrace, string innerType);
}
