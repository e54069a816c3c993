namespace Governance.Audit.Signatures;

/// <summary>An entry of the signature log with the checkpoint over it; only inserted.</summary>
internal sealed class SignatureRow
{
    public long Index { get; set; }

    /// <summary>The leaf: canonical JSON.</summary>
    public byte[] Body { get; set; } = [];

    /// <summary>Hashes of the complete subtrees that cover the tree with this entry, the largest first: all that the next entry needs.</summary>
    public byte[] Edge { get; set; } = [];

    /// <summary>The signed checkpoint over the tree with this entry.</summary>
    public string Note { get; set; } = "";

    /// <summary>Seconds since 1970, UTC.</summary>
    public long At { get; set; }
}
