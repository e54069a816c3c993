using Governance.Kernel;

namespace Governance.Registry.Remote;

/// <summary>What may go wrong with a foreign server. No text of its answers is repeated: it may hold anything.</summary>
internal static class RemoteFailures
{
    public static readonly Failure Credential = Failure.Conflict(
        "registry.remote_credential",
        "The credential for the server cannot be read, or is not one line 'bearer TOKEN' or 'basic USER:PASSWORD'."
    );

    public static readonly Failure Address = Failure.Conflict(
        "registry.remote_address",
        "The server's name leads to an address that is not public, and its configuration lists no network that holds it."
    );

    public static readonly Failure Tls = Failure.Conflict(
        "registry.remote_tls",
        "The server's certificate is not trusted, or no TLS connection came about."
    );

    public static readonly Failure Unreachable = new(
        FailureKind.Unavailable,
        "registry.remote_unreachable",
        "The server does not answer, answers too slowly or asks to come back later."
    );

    public static readonly Failure Unauthorized = Failure.Denied(
        "registry.remote_unauthorized",
        "The server refuses the configured credential for this (401 or 403)."
    );

    public static readonly Failure NotFound = Failure.NotFound(
        "registry.remote_not_found",
        "The server has no such object or does not serve this route (404)."
    );

    public static readonly Failure Broken = Failure.Conflict(
        "registry.remote_error",
        "The server answers with an error of its own (500), also when asked again."
    );

    public static readonly Failure TooLarge = new(
        FailureKind.TooLarge,
        "registry.remote_too_large",
        "The server's answer is larger than the limit."
    );

    public static readonly Failure Endless = new(
        FailureKind.TooLarge,
        "registry.remote_endless",
        "The server's list repeats a page token, or has more pages, directories or files than the limit."
    );

    public static Failure Refused(int status) =>
        Failure.Conflict(
            "registry.remote_refused",
            $"The server refuses the request or sends it elsewhere ({status})."
        );

    public static Failure BadAnswer(string what) =>
        Failure.Conflict("registry.remote_bad_answer", $"The server's answer is not what MLflow answers: {what}");
}
