using Governance.Kernel;

namespace Governance.Audit.Sequencing;

/// <summary>What the log's own checks can find.</summary>
internal static class LogFailures
{
    public static readonly Failure CheckpointForged = Broken(
        "audit.checkpoint_forged",
        "A stored checkpoint is missing, altered, or not signed by this log's key."
    );

    public static readonly Failure TreeAltered = Broken(
        "audit.tree_altered",
        "The stored tree does not have the root that was signed."
    );

    public static readonly Failure LeafMissing = Broken("audit.leaf_missing", "The sequence of leaves has a gap.");

    public static readonly Failure OrderChanged = Broken(
        "audit.order_changed",
        "Leaves are not in the order of their entries."
    );

    public static readonly Failure EntryMissing = Broken("audit.entry_missing", "A sequenced entry is gone.");

    public static readonly Failure EntryAltered = Broken(
        "audit.entry_altered",
        "An entry differs from what was sequenced."
    );

    public static readonly Failure EntryInserted = Broken(
        "audit.entry_inserted",
        "An entry was put between sequenced ones."
    );

    public static readonly Failure Truncated = Broken(
        "audit.truncated",
        "The log is shorter or longer than its newest checkpoint."
    );

    private static Failure Broken(string code, string message) => Failure.Conflict(code, message);
}
