using Governance.Kernel;
using Governance.Platform.Database;

namespace Governance.Signing.Contracts;

/// <summary>What the gateway's keys signed: recorded in the unit that keeps the signature.</summary>
public interface ISignatureJournal
{
    /// <summary>Records a signature of the gateway's, by every key that had a part in it; recording it twice changes nothing.</summary>
    /// <param name="session">The unit that keeps the bundle.</param>
    /// <param name="bundle">The bundle as it is kept.</param>
    /// <param name="subject">What it is about, as a URN.</param>
    /// <param name="cancellationToken">Cancels.</param>
    Task RecordAsync(WriteSession session, byte[] bundle, string subject, CancellationToken cancellationToken);
}

/// <summary>Told, inside the unit, that signatures do not count any more. Implemented by a higher module.</summary>
public interface IRevocationWatch
{
    /// <summary>Digests of the bundles, as they are kept.</summary>
    Task OnRevokedAsync(WriteSession session, IReadOnlyCollection<Digest> bundles, CancellationToken cancellationToken);
}
