using Governance.Kernel;

namespace Governance.Policy.Storage;

/// <summary>What became of a proposal.</summary>
internal enum ProposalState
{
    /// <summary>It waits.</summary>
    Open,

    /// <summary>Another person approved it; its text is in force from its time on.</summary>
    Approved,

    /// <summary>Another person rejected it.</summary>
    Rejected,

    /// <summary>Whoever proposed it took it back.</summary>
    Withdrawn,
}

/// <summary>A text that somebody wants to be in force. Only its state changes, once.</summary>
internal sealed class ProposalRow
{
    public const int MaxReason = 500;

    public Guid Id { get; set; }

    public string Name { get; set; } = "";

    public string Text { get; set; } = "";

    public Digest Digest { get; set; }

    /// <summary>The text approved last when this was proposed; it replaces that one and no other.</summary>
    public Digest Base { get; set; }

    public string Reason { get; set; } = "";

    /// <summary>Null for as soon as it is approved.</summary>
    public DateTimeOffset? ActiveFrom { get; set; }

    public string ProposedBy { get; set; } = "";

    public DateTimeOffset ProposedAt { get; set; }

    public ProposalState State { get; set; }

    public string? DecidedBy { get; set; }

    public DateTimeOffset? DecidedAt { get; set; }
}
