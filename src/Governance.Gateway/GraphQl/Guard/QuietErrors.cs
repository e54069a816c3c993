using GraphQL;
using GraphQL.Execution;

namespace Governance.Gateway.GraphQl.Guard;

/// <summary>The one mapping of errors to answers: no exception text or type, no suggestions of names, one stable code.</summary>
internal sealed class QuietErrors : IErrorInfoProvider
{
    public ErrorInfo GetInfo(ExecutionError executionError) =>
        executionError switch
        {
            FieldFailure { Reasons.Count: > 0 } failure => Info(failure, failure.Code!, ("reasons", failure.Reasons)),
            FieldFailure { MaxAge: { } age } failure => Info(
                failure,
                failure.Code!,
                ("maxAge", (long)age.TotalSeconds)
            ),
            FieldFailure failure => Info(failure, failure.Code!),
            CallerRefused { Failure.MaxAge: { } age } refused => Info(
                refused,
                refused.Code!,
                ("maxAge", (long)age.TotalSeconds)
            ),
            LimitExceeded limit => Info(limit, limit.Code!, ("limit", limit.Limit)),
            UnhandledError => new ErrorInfo
            {
                Message = "Something went wrong inside the gateway.",
                Extensions = new Dictionary<string, object?> { ["code"] = "INTERNAL" },
            },
            // A code that the library derives from an inner exception names that exception's type.
            { InnerException: not null } => Info(executionError, "INVALID_REQUEST"),
            _ => Info(executionError, executionError.Code ?? "INVALID_REQUEST"),
        };

    private static ErrorInfo Info(
        ExecutionError error,
        string code,
        params ReadOnlySpan<(string Key, object Value)> more
    )
    {
        var extensions = new Dictionary<string, object?> { ["code"] = code };
        foreach (var (key, value) in more)
        {
            extensions[key] = value;
        }

        var suggestion = error.Message.IndexOf(" Did you mean ", StringComparison.Ordinal);
        return new ErrorInfo
        {
            Message = suggestion < 0 ? error.Message : error.Message[..suggestion],
            Extensions = extensions,
        };
    }
}
