namespace Governance.Registry.Engine;

/// <summary>What a registered model says on one side of the gateway.</summary>
internal sealed record MirroredModel(string Name)
{
    public string Description { get; init; } = "";
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();
    public IReadOnlyDictionary<string, int> Aliases { get; init; } = new Dictionary<string, int>();
    public IReadOnlyDictionary<int, MirroredVersion> Versions { get; init; } = new Dictionary<int, MirroredVersion>();
}

/// <summary>What a version says on one side of the gateway.</summary>
internal sealed record MirroredVersion(string Stage, string Source)
{
    public string Description { get; init; } = "";
    public string RunId { get; init; } = "";
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();
}
