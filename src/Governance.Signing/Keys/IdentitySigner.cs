using System.Security.Cryptography;
using Governance.Audit.Contracts;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;

namespace Governance.Signing.Keys;

/// <summary>
/// Signs with a key that lives for one signature: certified for an identity, stamped with the time, entered in the signature
/// log. The entry is durable before the bundle exists, so no bundle is ever without it; a gateway that dies in between leaves
/// an entry whose signature nobody holds.
/// </summary>
internal sealed class IdentitySigner(Authorities authorities, ISignatureLog log)
{
    public async Task<byte[]> SignAsync(byte[] payload, SignerIdentity identity, CancellationToken cancellationToken)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = authorities.Certify(key, identity);
        var bundle = new SignedBundle(null, payload, Dsse.Sign(key, payload));
        var timestamp = authorities.Timestamp(bundle.Signature);
        var entry = await log.AppendAsync(LogBody.Create(bundle, IdentityChecks.Pem(certificate)), cancellationToken);
        var material = new IdentityMaterial(certificate.RawData, entry.LogId, entry, timestamp);
        return (bundle with { Identity = material }).Write();
    }
}
