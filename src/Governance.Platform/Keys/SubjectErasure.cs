namespace Governance.Platform.Keys;

/// <summary>That the key of a subject was destroyed: what stays of it in the key store.</summary>
/// <param name="Subject">Pseudonym.</param>
/// <param name="EntryId">The log entry that committed before the key went.</param>
/// <param name="At">Time of that entry, UTC, milliseconds.</param>
public sealed record SubjectErasure(string Subject, Guid EntryId, DateTimeOffset At)
{
    /// <summary>Kind of that entry.</summary>
    public const string Kind = "identity.erasure_begun";
}
