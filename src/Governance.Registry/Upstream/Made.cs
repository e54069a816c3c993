using System.Text.Json.Nodes;
using Governance.Registry.Engine;

namespace Governance.Registry.Upstream;

/// <summary>
/// What came of making a lane's changes upstream. Without a subject there is no entry of its own: the entry of the change said
/// that it would be made, and that it was made follows from the lane being empty.
/// </summary>
internal sealed record Made(string Subject)
{
    public static readonly Made Quietly = new("");

    public JsonObject Details { get; init; } = [];

    public string Model { get; init; } = "";

    /// <summary>Ids of the differences that are undone.</summary>
    public IReadOnlyCollection<string> Repaired { get; init; } = [];

    /// <summary>What upstream did not take, found when it was read again.</summary>
    public IReadOnlyList<Difference> Left { get; init; } = [];
}
