namespace Governance.Registry.Storage;

internal enum ImportState
{
    Running,
    Done,
    Cancelled,
    Stopped,
}

internal enum ImportPhase
{
    Experiments,
    Runs,
    LoggedModels,
    Models,
    Copies,
    Ended,
}

/// <summary>Kinds of imported objects, in the order in which they come.</summary>
internal static class ImportKinds
{
    public const string Experiment = "experiment";
    public const string Run = "run";
    public const string LoggedModel = "logged-model";
    public const string Model = "model";
    public const string Version = "version";

    public static readonly IReadOnlyList<string> All = [Experiment, Run, LoggedModel, Model, Version];
}

/// <summary>One import: what was asked, and how far it is. The place in the source's lists is where a killed one goes on.</summary>
internal sealed class ImportRow
{
    public string Id { get; set; } = "";
    public string Source { get; set; } = "";
    public string StartedBy { get; set; } = "";
    public Kernel.ActorKind StartedByKind { get; set; }
    public string OwnerId { get; set; } = "";
    public string Experiments { get; set; } = "*";
    public string Models { get; set; } = "*";
    public bool DryRun { get; set; }
    public ImportState State { get; set; }

    /// <summary>Code and sentence of what stopped it.</summary>
    public string StopCode { get; set; } = "";
    public string StopMessage { get; set; } = "";
    public ImportPhase Phase { get; set; }

    /// <summary>Which list of the phase: an experiment's id at the source, or which models.</summary>
    public string At { get; set; } = "";
    public string? PageToken { get; set; }

    /// <summary>Pages read so far: a source whose lists go round in circles is left.</summary>
    public int Pages { get; set; }
    public long CreatedMs { get; set; }
    public long UpdatedMs { get; set; }
}

/// <summary>What an import's lists showed of one kind, counted when a page was done with.</summary>
internal sealed class ImportCountRow
{
    public string ImportId { get; set; } = "";
    public string Kind { get; set; } = "";

    /// <summary>Objects in the source's lists that the patterns let through.</summary>
    public long Seen { get; set; }

    /// <summary>Of these, how many an earlier import had brought.</summary>
    public long Present { get; set; }
}

internal enum ImportedState
{
    /// <summary>Begun; nothing of it can be seen.</summary>
    Partial,

    /// <summary>Here, but not ended at the source: the next import writes it anew.</summary>
    Open,

    Whole,
}

/// <summary>Which object here came from which object of which source.</summary>
internal sealed class ImportedRow
{
    public string Source { get; set; } = "";
    public string Kind { get; set; } = "";
    public string RemoteId { get; set; } = "";
    public string LocalId { get; set; } = "";
    public string Name { get; set; } = "";
    public string ArtifactUri { get; set; } = "";
    public ImportedState State { get; set; }
    public string ImportId { get; set; } = "";
    public long Files { get; set; }
    public long Bytes { get; set; }
}

/// <summary>What an import did not bring, and why.</summary>
internal sealed class ImportFailureRow
{
    public string ImportId { get; set; } = "";
    public string Kind { get; set; } = "";
    public string RemoteId { get; set; } = "";
    public string Code { get; set; } = "";
    public string Message { get; set; } = "";
}
