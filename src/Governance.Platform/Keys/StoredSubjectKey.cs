namespace Governance.Platform.Keys;

/// <summary>What the key store has of a subject: its key, or that it was destroyed.</summary>
/// <param name="Key">32 bytes; null once destroyed. Whoever takes it keeps it, and zeroes it in the end.</param>
/// <param name="Erased">The erasure; null while the key is there.</param>
public sealed record StoredSubjectKey(byte[]? Key, SubjectErasure? Erased);
