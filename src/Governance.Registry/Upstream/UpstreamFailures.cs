using Governance.Kernel;
using Governance.Registry.Remote;

namespace Governance.Registry.Upstream;

/// <summary>What may go wrong behind the gateway. No text of upstream's answers is repeated.</summary>
internal static class UpstreamFailures
{
    public static readonly Failure Pending = new(
        FailureKind.Unavailable,
        "upstream.pending",
        "The change stands here and is being made on the MLflow server behind the gateway. Ask again: the same request waits for it."
    );

    public static readonly Failure Away = new(
        FailureKind.Unavailable,
        "upstream.away",
        "Only the MLflow server behind the gateway has these files, and it does not give them now. Ask again."
    );

    public static readonly Failure Unreadable = Failure.Conflict(
        "upstream.unreadable",
        "What the MLflow server behind the gateway says about this cannot be read: a name, size or number that no store here takes."
    );

    public static readonly Failure Refused = Failure.Conflict(
        "upstream.refused",
        "The MLflow server behind the gateway refuses what was asked of it; an operator sees the difference."
    );

    public static readonly Failure Exists = new(
        FailureKind.Exists,
        "upstream.exists",
        "The MLflow server behind the gateway has something of that name already."
    );

    public static readonly Failure ArtifactDiffers = Failure.Conflict(
        "upstream.artifact_differs",
        "A file of the source has another size on the MLflow server behind the gateway than here; upload it again."
    );

    public static readonly Failure NoDrift = Failure.NotFound("upstream.no_drift", "There is no such open difference.");

    public static readonly Failure CannotRepair = Failure.Conflict(
        "upstream.cannot_repair",
        "No request can undo this difference upstream. Undo it there, or delete the version here through the gate."
    );

    public static readonly Failure CannotAccept = Failure.Conflict(
        "upstream.cannot_accept",
        "Only a model or version made behind the gateway, or what the server does not take, is accepted. All else is repaired, and then changed through the gateway."
    );

    public static readonly Failure Off = Failure.NotFound(
        "upstream.off",
        "No MLflow server stands behind this gateway."
    );

    /// <summary>Whether asking again may help after a reading failed, or never will.</summary>
    public static Failure OfReading(Failure failure) =>
        failure.Kind == FailureKind.TooLarge || failure.Code == RemoteFailures.BadAnswer("").Code
            ? Unreadable
            : Pending;
}
