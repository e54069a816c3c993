namespace Governance.Audit.Storage;

/// <summary>A committed entry; inserted by hand-written SQL only, never changed.</summary>
internal sealed class EntryRow
{
    /// <summary>Order of insertion, given by the database.</summary>
    public long Serial { get; set; }

    public Guid Id { get; set; }

    /// <summary>Milliseconds since 1970, UTC.</summary>
    public long At { get; set; }

    public string Kind { get; set; } = "";

    public string ActorId { get; set; } = "";

    public string Subject { get; set; } = "";

    public string Outcome { get; set; } = "";

    public string Canonical { get; set; } = "";

    /// <summary>32 bytes in clear, or <see cref="Engine.SealedSalt"/>.</summary>
    public byte[] Salt { get; set; } = [];
}

/// <summary>A sequenced entry: level 0 of the tree.</summary>
internal sealed class LeafRow
{
    public long Index { get; set; }

    public long Serial { get; set; }

    public Guid EntryId { get; set; }

    /// <summary>RFC 6962 leaf hash.</summary>
    public byte[] Hash { get; set; } = [];
}

/// <summary>A complete subtree of level 1 and up.</summary>
internal sealed class NodeRow
{
    public int Level { get; set; }

    public long Index { get; set; }

    public byte[] Hash { get; set; } = [];
}

/// <summary>A cosignature of a checkpoint that verified; every one is kept.</summary>
internal sealed class CosignatureRow
{
    /// <summary>Tree size of the checkpoint.</summary>
    public long Size { get; set; }

    /// <summary>Verifier key of the witness.</summary>
    public string Witness { get; set; } = "";

    /// <summary>The signature line, with its newline.</summary>
    public string Line { get; set; } = "";

    /// <summary>Milliseconds since 1970, UTC, by this gateway's clock.</summary>
    public long At { get; set; }
}

/// <summary>A checkpoint that was signed; every one is kept.</summary>
internal sealed class CheckpointRow
{
    /// <summary>Tree size.</summary>
    public long Size { get; set; }

    public byte[] Root { get; set; } = [];

    /// <summary>The signed note.</summary>
    public string Note { get; set; } = "";

    /// <summary>Milliseconds since 1970, UTC.</summary>
    public long At { get; set; }
}
