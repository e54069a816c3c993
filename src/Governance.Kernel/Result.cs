using System.Diagnostics.CodeAnalysis;

namespace Governance.Kernel;

/// <summary>What kind of expected outcome a failure is; each transport maps kinds to its own codes in one place.</summary>
public enum FailureKind
{
    /// <summary>The input is malformed or breaks a limit (HTTP 400).</summary>
    Invalid,

    /// <summary>Nothing visible to the caller has that name (HTTP 404).</summary>
    NotFound,

    /// <summary>The caller may not do this, or policy refuses it (HTTP 403).</summary>
    Denied,

    /// <summary>The state of the object forbids it now (HTTP 409).</summary>
    Conflict,

    /// <summary>A name is taken already (HTTP 409; MLflow 400 RESOURCE_ALREADY_EXISTS).</summary>
    Exists,

    /// <summary>The body or a count is over a limit (HTTP 413).</summary>
    TooLarge,

    /// <summary>Not served on purpose (HTTP 501).</summary>
    NotServed,

    /// <summary>The person proved who they are too long ago, or by too little (HTTP 401; RFC 9470).</summary>
    Reauthenticate,

    /// <summary>Something that this rests on does not answer now; the same request may succeed later (HTTP 503).</summary>
    Unavailable,
}

/// <summary>An expected outcome that is not success.</summary>
/// <param name="Kind">How transports report it.</param>
/// <param name="Code">Stable machine-readable code, <c>module.reason</c>; listed in docs/reference/errors.md.</param>
/// <param name="Message">One sentence a person can act on; never holds personal data or secrets.</param>
public sealed record Failure(FailureKind Kind, string Code, string Message)
{
    /// <summary>Every unmet condition or broken field, when there is more than one thing to say.</summary>
    public IReadOnlyList<string> Reasons { get; init; } = [];

    /// <summary>For <see cref="FailureKind.Reauthenticate"/>: how old a sign-in may be.</summary>
    public TimeSpan? MaxAge { get; init; }

    /// <summary>A malformed or over-limit input.</summary>
    public static Failure Invalid(string code, string message) => new(FailureKind.Invalid, code, message);

    /// <summary>An object that is absent, or that the caller may not know of.</summary>
    public static Failure NotFound(string code, string message) => new(FailureKind.NotFound, code, message);

    /// <summary>A refusal by permission or policy.</summary>
    public static Failure Denied(string code, string message) => new(FailureKind.Denied, code, message);

    /// <summary>A state that forbids the request now.</summary>
    public static Failure Conflict(string code, string message) => new(FailureKind.Conflict, code, message);
}

/// <summary>Nothing to return.</summary>
public readonly record struct Unit;

/// <summary>Either a value or a <see cref="Kernel.Failure"/>. Bugs and broken worlds throw instead.</summary>
public readonly record struct Result<T>
{
    private readonly T? _value;

    private Result(T? value, Failure? failure)
    {
        _value = value;
        Failure = failure;
    }

    /// <summary>The failure, or null on success.</summary>
    public Failure? Failure { get; }

    /// <summary>Whether a value is there.</summary>
    [MemberNotNullWhen(false, nameof(Failure))]
    public bool Ok => Failure is null;

    /// <summary>The value; throws when there is none, which is a bug of the caller.</summary>
    public T Value => Ok ? _value! : throw new InvalidOperationException($"No value: {Failure.Code}.");

    /// <summary>Success.</summary>
    public static implicit operator Result<T>(T value) => new(value, null);

    /// <summary>Failure.</summary>
    public static implicit operator Result<T>(Failure failure) => new(default, failure);

    /// <summary>Maps the value, passes a failure on.</summary>
    public Result<TOther> Map<TOther>(Func<T, TOther> map) => Ok ? map(_value!) : Failure;
}
