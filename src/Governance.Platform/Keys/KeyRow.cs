namespace Governance.Platform.Keys;

/// <summary>What is decided about a key; the key itself lies in its file. A first key without a row has not been replaced yet.</summary>
internal sealed class KeyRow
{
    public string Name { get; set; } = "";

    public int Number { get; set; }

    public string File { get; set; } = "";

    public DateTimeOffset ActiveFrom { get; set; }

    public DateTimeOffset? End { get; set; }

    public DateTimeOffset? RevokedFrom { get; set; }
}
