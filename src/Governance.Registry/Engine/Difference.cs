namespace Governance.Registry.Engine;

/// <summary>In what two sides differ.</summary>
internal enum DifferenceKind
{
    ModelMissing,
    ModelMade,
    ModelDescription,
    ModelTag,
    Alias,
    VersionMissing,
    VersionMade,
    VersionDescription,
    VersionTag,
    Stage,
    Source,
    Run,
    FileMissing,
    FileMade,
    FileSize,
    FileBytes,
    Unreadable,

    /// <summary>Upstream refuses for good what is here.</summary>
    NotTaken,
}

/// <summary>
/// One difference between here and upstream. <paramref name="Version"/> is 0 when it is about the model; a side that has nothing
/// is null.
/// </summary>
internal sealed record Difference(DifferenceKind Kind, int Version, string Key, string? Expected, string? Found)
{
    /// <summary>Whether it puts in doubt what is served: then the version is quarantined. A text for people does not.</summary>
    public bool Quarantines =>
        Kind
            is not (
                DifferenceKind.ModelDescription
                or DifferenceKind.VersionDescription
                or DifferenceKind.ModelTag
                or DifferenceKind.NotTaken
            );

    /// <summary>Whether upstream can be made to say what is here by one of its routes.</summary>
    public bool CanRepair =>
        Kind
            is DifferenceKind.ModelDescription
                or DifferenceKind.ModelTag
                or DifferenceKind.Alias
                or DifferenceKind.VersionDescription
                or DifferenceKind.VersionTag
                or DifferenceKind.Stage;

    /// <summary>What may stand in log and list as it is: stages, numbers, sizes and codes. All else may hold anything.</summary>
    public bool IsPlain =>
        Kind is DifferenceKind.Stage or DifferenceKind.Alias or DifferenceKind.FileSize or DifferenceKind.NotTaken;
}
