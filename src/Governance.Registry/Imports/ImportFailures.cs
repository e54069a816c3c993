using Governance.Kernel;

namespace Governance.Registry.Imports;

/// <summary>Why an import is refused, or an object of it does not come.</summary>
internal static class ImportFailures
{
    public static readonly Failure NoSource = Failure.NotFound(
        "registry.import_source_unknown",
        "No source of that name is configured. Sources are set by Governance:Registry:ImportSources, never by a request."
    );

    public static readonly Failure NoImport = Failure.NotFound("registry.import_not_found", "There is no such import.");

    public static readonly Failure Busy = Failure.Conflict(
        "registry.import_running",
        "An import from this source is running already."
    );

    public static readonly Failure Ended = Failure.Conflict(
        "registry.import_ended",
        "The import is not in a state for that: only a running one is cancelled, only a stopped or cancelled one resumed."
    );

    public static readonly Failure Owner = Failure.Invalid(
        "registry.import_owner",
        "The owner is the id of a person with at least one role, or of who starts the import."
    );

    public static readonly Failure Bad = Failure.Invalid(
        "registry.import_bad_request",
        "An import is a JSON object with source and, if wanted, experiments, models (patterns with *), owner and dryRun."
    );

    public static readonly Failure Taken = Failure.Conflict(
        "registry.import_conflict",
        "Here is one of that name or id already that did not come by an import from this source; nothing is merged."
    );

    public static readonly Failure NameOfAnother = Failure.Conflict(
        "registry.import_name_used",
        "A model here had that name before, or one that differs in letter case alone: its version numbers are not given again."
    );

    public static readonly Failure BadId = Failure.Invalid(
        "registry.import_bad_id",
        "Its id has not the form that MLflow gives, so its addresses could not work here."
    );

    public static readonly Failure NotReady = Failure.Conflict(
        "registry.import_not_ready",
        "At the source it is not READY."
    );

    public static readonly Failure Elsewhere = Failure.Conflict(
        "registry.import_source_elsewhere",
        "Its files lie outside of what the source server keeps for its runs and logged models; nothing is fetched from elsewhere."
    );

    public static readonly Failure Incomplete = Failure.Conflict(
        "registry.import_source_missing",
        "The run, logged model or version that it came from was not imported with all its files."
    );

    public static readonly Failure Size = Failure.Conflict(
        "registry.import_size_differs",
        "A file's size is not the one that the source lists."
    );

    public static readonly Failure Slow = Failure.Conflict(
        "registry.import_too_slow",
        "A file did not arrive within the time of one job (Jobs:TimeoutSeconds)."
    );

    public static readonly Failure TooMany = Failure.Invalid(
        "registry.too_many",
        "It has more metric values, tags or inputs than an import takes."
    );

    public static readonly Failure TooLong = Failure.Invalid(
        "registry.too_long",
        "A key or text of it is longer than is kept here, or a key holds invisible characters."
    );
}
