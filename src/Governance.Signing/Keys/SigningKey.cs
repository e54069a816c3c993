using Governance.Platform.Keys;
using Governance.Signing.Contracts;

namespace Governance.Signing.Keys;

/// <summary>A model-signing key with the time at which it was made; disposing of it disposes of the key.</summary>
internal sealed class SigningKey(PlainKey key) : IDisposable
{
    public ModelSigner Signer { get; } = new(key.Key);

    public HeldKey Key => key.Key;

    public DateTimeOffset CreatedAt => key.CreatedAt;

    public void Dispose() => Signer.Dispose();
}
