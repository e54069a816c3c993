using Governance.Kernel;
using GraphQL;
using GraphQL.Execution;
using GraphQL.Validation;

namespace Governance.Gateway.GraphQl.Guard;

/// <summary>A document over a limit; <see cref="Limit"/> names which.</summary>
internal sealed class LimitExceeded : ValidationError
{
    public LimitExceeded(string limit, string message)
        : base(message)
    {
        Code = "LIMIT_EXCEEDED";
        Limit = limit;
    }

    public string Limit { get; }
}

/// <summary>A document that needs a permission that the caller holds on nothing.</summary>
internal sealed class PermissionDenied : ValidationError
{
    public PermissionDenied(IEnumerable<string> missing)
        : base($"You lack: {string.Join(", ", missing)}.") => Code = "PERMISSION_DENIED";
}

/// <summary>A caller who holds the permissions, but has to prove who they are by another token or a fresh sign-in.</summary>
internal sealed class CallerRefused : ValidationError
{
    public CallerRefused(Failure failure)
        : base(failure.Message)
    {
        Code = failure.Code;
        Failure = failure;
    }

    public Failure Failure { get; }
}

/// <summary>Anything but a query over GET.</summary>
internal sealed class QueriesOnly : ValidationError
{
    public QueriesOnly()
        : base("GET serves queries only; send this operation with POST.") => Code = "POST_REQUIRED";
}

/// <summary>Ends validation once an answer would hold more errors than it may.</summary>
internal sealed class ErrorLimitReached(IReadOnlyList<ExecutionError> found) : RequestError("Too many errors.")
{
    public IReadOnlyList<ExecutionError> Found => found;
}

/// <summary>An expected failure of a resolver, on its way to <c>errors[].extensions</c>.</summary>
internal sealed class FieldFailure : ExecutionError
{
    public FieldFailure(Failure failure)
        : base(failure.Message)
    {
        Code = failure.Code;
        Reasons = failure.Reasons;
        MaxAge = failure.MaxAge;
    }

    public IReadOnlyList<string> Reasons { get; }

    /// <summary>How old a sign-in may be, when an older one is the reason.</summary>
    public TimeSpan? MaxAge { get; }
}
