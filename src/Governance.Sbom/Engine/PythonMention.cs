namespace Governance.Sbom.Engine;

/// <summary>One place that states the Python version.</summary>
internal sealed record PythonMention(string Source, string? Version, string Specifier);
