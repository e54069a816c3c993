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

    public static readonly Failure SubjectKeyMissing = Broken(
        "audit.subject_key_missing",
        "The key store has neither the key that an entry's salt is under nor its erasure."
    );

    public static readonly Failure ErasureUnlogged = Broken(
        "audit.erasure_unlogged",
        "The salt of an entry was erased, but the log has no entry of that erasure."
    );

    public static readonly Failure EntryInserted = Broken(
        "audit.entry_inserted",
        "An entry was put between sequenced ones."
    );

    public static readonly Failure Truncated = Broken(
        "audit.truncated",
        "The log is shorter or longer than its newest checkpoint."
    );

    /// <summary>The log is smaller than a checkpoint that it signed.</summary>
    public static Failure RolledBack(long size, long signed) =>
        Broken("audit.rolled_back", "The log is smaller than a checkpoint that it once signed.")
            .At($"It has {size} leaves; {signed} were signed.");

    /// <summary>The log signed another tree of this size.</summary>
    public static Failure Forked(long size) =>
        Broken("audit.forked", "The log once signed another tree than the one it has.")
            .At($"Its root at size {size} is another.");

    /// <summary>The log signed another tree of this size; what it has is signed up to a smaller one.</summary>
    public static Failure Forked(long size, long signed) =>
        Forked(size).At($"Its root at size {size} is another; what it signed holds up to size {signed}.");

    /// <summary>With what shows it: positions, ids and sizes, which are no personal data.</summary>
    public static Failure At(this Failure failure, string evidence) => failure with { Reasons = [evidence] };

    private static Failure Broken(string code, string message) => Failure.Conflict(code, message);
}
