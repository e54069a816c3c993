using Governance.Registry.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Evidence.Contracts;

/// <summary>How the signatures of a version stand now.</summary>
/// <param name="Item">The evidence; null when there is none yet.</param>
/// <param name="Statement">What was signed and by whom; null when the gateway's signature does not verify.</param>
/// <param name="Reasons">What is wrong, one sentence each.</param>
public sealed record SignatureStanding(EvidenceItem? Item, VerifiedStatement? Statement, IReadOnlyList<string> Reasons)
{
    /// <summary>
    /// Whether the gateway's signature verifies now, names whoever registered the version, and what came with the files is
    /// what the signer policy asks.
    /// </summary>
    public bool Verified { get; init; }
}

/// <summary>Judging signatures. Checks no permission: callers do.</summary>
public interface ISignatures
{
    /// <summary>The signatures of a version, verified now.</summary>
    Task<SignatureStanding> OfAsync(VersionView version, CancellationToken cancellationToken);
}
