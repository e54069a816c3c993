namespace Governance.Kernel;

/// <summary>A secret text that never prints itself.</summary>
/// <param name="value">The secret.</param>
public sealed class Secret(string value)
{
    /// <summary>The secret itself; call only where it is used.</summary>
    public string Reveal() => value;

    /// <inheritdoc />
    public override string ToString() => "[redacted]";
}
