namespace Governance.Identity.Storage;

/// <summary>How far an erasure is.</summary>
internal enum ErasureState
{
    /// <summary>The account is empty and the entry committed; the key may still be there.</summary>
    Begun,

    /// <summary>The key is destroyed, and that is on record.</summary>
    Done,

    /// <summary>It failed too often; the next start goes on with it.</summary>
    Stuck,
}

/// <summary>What stays of somebody who was erased.</summary>
internal sealed class ErasureRow
{
    public string SubjectId { get; set; } = "";
    public ErasureState State { get; set; }

    /// <summary>Id of the entry that committed with this row, before the key was destroyed.</summary>
    public Guid EntryId { get; set; }
    public DateTimeOffset BeganAt { get; set; }

    /// <summary>Id of the entry that says that the key is destroyed: the proof. Null before.</summary>
    public Guid? ProofId { get; set; }
}

/// <summary>A reason why somebody may not be erased for now.</summary>
internal sealed class HoldRow
{
    public Guid Id { get; set; }
    public string SubjectId { get; set; } = "";

    /// <summary>Pseudonym of who set it.</summary>
    public string SetBy { get; set; } = "";
    public DateTimeOffset SetAt { get; set; }

    /// <summary>The reason, UTF-8, sealed under the subject's key for this hold.</summary>
    public byte[] Reason { get; set; } = [];
}
