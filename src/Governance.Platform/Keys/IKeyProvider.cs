namespace Governance.Platform.Keys;

/// <summary>A key that was made where it stays.</summary>
/// <param name="Reference">What finds it there again: no secret, at most 2,048 characters.</param>
/// <param name="Spki">Its public half: SubjectPublicKeyInfo, DER, ECDSA P-256.</param>
public sealed record MadeKey(string Reference, byte[] Spki);

/// <summary>
/// A place outside of this process where private keys are made, stay and sign: a PKCS#11 token, a cloud's key management. All
/// calls may wait, for <see cref="KeyOptions.TimeoutSeconds"/> at most where the place permits it, and throw
/// <see cref="KeyUnavailableException"/>. Thread-safe.
/// </summary>
/// <remarks>Synchronous like what signs certificates and timestamps in .NET, which is who calls it.</remarks>
public interface IKeyProvider
{
    /// <summary>Its name in settings and key files, such as <c>pkcs11</c>.</summary>
    string Name { get; }

    /// <summary>Throws when the place cannot be used at all, as far as that shows without a key.</summary>
    void Check();

    /// <summary>Makes an ECDSA P-256 key that signs and cannot be taken out; <paramref name="label"/> tells people what it is for.</summary>
    MadeKey Make(string label);

    /// <summary>Signs a SHA-256 digest, 32 bytes; gives back r ‖ s, 64 bytes.</summary>
    byte[] Sign(string reference, ReadOnlySpan<byte> digest);

    /// <summary>What signed was another key: whatever is remembered of where this one lies is to be looked up again.</summary>
    void Forget(string reference) { }
}
