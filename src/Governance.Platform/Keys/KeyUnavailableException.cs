using Governance.Kernel;

namespace Governance.Platform.Keys;

/// <summary>A key cannot be made or used where it lies; says where and why in one sentence without secrets.</summary>
public sealed class KeyUnavailableException : IOException
{
    /// <summary>What whoever asked for a signature learns: the sentence is for the gateway's log.</summary>
    public static readonly Failure Failure = new(
        FailureKind.Unavailable,
        "keys.unavailable",
        "A key of the gateway cannot be used or made now; its log says why. Try again later."
    );

    /// <summary>With what an operator should read.</summary>
    public KeyUnavailableException(string message, Exception? inner = null)
        : base(message, inner) { }
}
