using System.Security.Cryptography;
using Governance.Signing.Contracts;

namespace Governance.Signing.Keys;

/// <summary>A model-signing key with the time at which it was made.</summary>
internal sealed class SigningKey(ModelSigner signer, DateTimeOffset createdAt) : IDisposable
{
    public ModelSigner Signer => signer;

    public DateTimeOffset CreatedAt => createdAt;

    public static SigningKey Of((ECDsa Key, DateTimeOffset CreatedAt) stored) =>
        new(new ModelSigner(stored.Key), stored.CreatedAt);

    public void Dispose() => signer.Dispose();
}
