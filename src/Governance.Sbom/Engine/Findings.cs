namespace Governance.Sbom.Engine;

/// <summary>Things worth telling a person that do not stop the document; capped, since hostile files could yield many.</summary>
internal sealed class Findings
{
    private const int MaxFindings = 200;
    private const int MaxLength = 300;
    private readonly SortedSet<string> _lines = new(StringComparer.Ordinal);
    private bool _dropped;

    public IReadOnlyList<string> Lines =>
        _dropped ? [.. _lines, $"More than {MaxFindings} findings: the rest is not listed."] : [.. _lines];

    public void Add(string finding)
    {
        var printable = new string([
            .. finding.Take(MaxLength).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c),
        ]);
        if (_lines.Count < MaxFindings)
        {
            _lines.Add(printable);
        }
        else
        {
            _dropped |= !_lines.Contains(printable);
        }
    }
}
