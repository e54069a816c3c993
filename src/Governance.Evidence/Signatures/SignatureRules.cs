using Governance.Kernel;

namespace Governance.Evidence.Signatures;

/// <summary>By which rules a signature was judged: another signer policy makes earlier evidence stale.</summary>
internal static class SignatureRules
{
    public static string Version(Digest policy) => $"oms-1.0/{policy.Hex[..16]}";
}
