using Governance.Kernel;

namespace Governance.Signing.Engine;

/// <summary>Why something did not verify. Each check has a code of its own, so that a refusal names the check that made it.</summary>
internal static class SigningFailure
{
    public static Failure Of(string reason, string message) => Failure.Invalid($"signing.{reason}", message);
}
