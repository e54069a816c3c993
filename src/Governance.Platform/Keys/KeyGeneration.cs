namespace Governance.Platform.Keys;

/// <summary>One key of several that have the same task one after another, as every gateway knows it.</summary>
/// <param name="Name">The task: name of its first file in <c>keys/</c>.</param>
/// <param name="Number">From 1.</param>
/// <param name="File">Name of its file, without <c>.key</c>.</param>
public sealed record KeyGeneration(string Name, int Number, string File)
{
    /// <summary>From when on it signs, UTC. It is published before, so that whoever verifies knows it in time.</summary>
    public DateTimeOffset ActiveFrom { get; init; } = DateTimeOffset.MinValue;

    /// <summary>The last moment at which a signature of it counts, UTC; null while it is in use.</summary>
    public DateTimeOffset? End { get; init; }

    /// <summary>Since when it is bad, UTC; null when it is not.</summary>
    public DateTimeOffset? RevokedFrom { get; init; }
}
