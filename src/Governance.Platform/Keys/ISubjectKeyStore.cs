using Governance.Kernel;

namespace Governance.Platform.Keys;

/// <summary>
/// Where the keys of subjects lie: outside of the database and of its backups, so that a restored backup brings no key back.
/// Each key can be destroyed by itself, for good. Thread-safe.
/// </summary>
/// <remarks>
/// A key management service fits where <see cref="CreateAsync"/> makes a key there (or has a data key wrapped by one) and
/// <see cref="DestroyAsync"/> deletes that one; what it must keep is that a subject was erased.
/// </remarks>
public interface ISubjectKeyStore
{
    /// <summary>What the store has of a subject; null when it never had a key.</summary>
    Task<StoredSubjectKey?> FindAsync(string subject, CancellationToken cancellationToken);

    /// <summary>
    /// Makes a key of 32 random bytes, durable when this returns, and gives back what the store has then: of two that make one
    /// at once both get the same, and an erased subject gets no new key.
    /// </summary>
    Task<StoredSubjectKey> CreateAsync(string subject, CancellationToken cancellationToken);

    /// <summary>
    /// Destroys the key of a subject and keeps that it was erased; durable when this returns. Again, or without a key, it only
    /// sees to it that both hold, with the entry of the last call.
    /// </summary>
    Task DestroyAsync(SubjectErasure erasure, CancellationToken cancellationToken);

    /// <summary>
    /// The erasures that the store learned of within this time, by its own clock, and perhaps earlier ones; all for null. Code
    /// <c>keys.erasure_forged</c> in the place of each that no gateway wrote.
    /// </summary>
    Task<IReadOnlyList<Result<SubjectErasure>>> ErasuresAsync(TimeSpan? within, CancellationToken cancellationToken);
}
