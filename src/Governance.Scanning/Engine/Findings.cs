using System.Text;
using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine;

/// <summary>Collects findings, without repetition, keeping the worst when there are more than a report holds.</summary>
internal sealed class Findings
{
    /// <summary>Findings in a report.</summary>
    public const int MaxReported = 1000;

    private const int MaxDetail = 200;
    private readonly HashSet<(string Path, string Rule, string Detail)> _seen = [];
    private readonly Dictionary<ScanClass, List<ScanFinding>> _byClass = [];

    /// <summary>The worst class so far.</summary>
    public ScanClass Worst { get; private set; }

    /// <summary>Findings so far, worst first, at most <see cref="MaxReported"/>.</summary>
    public IReadOnlyList<ScanFinding> Sorted() =>
        [
            .. _byClass
                .OrderByDescending(pair => pair.Key)
                .SelectMany(pair =>
                    pair.Value.OrderBy(finding => finding.Path, StringComparer.Ordinal)
                        .ThenBy(finding => finding.Offset)
                )
                .Take(MaxReported),
        ];

    /// <summary>Adds one finding.</summary>
    public void Add(string path, ScanClass severity, string rule, string detail, long? offset = null)
    {
        if (severity == ScanClass.Clean)
        {
            return;
        }

        Worst = severity > Worst ? severity : Worst;
        var list = _byClass.TryGetValue(severity, out var existing) ? existing : _byClass[severity] = [];
        detail = Printable(detail, MaxDetail);
        path = Printable(path, 2048);
        if (list.Count < MaxReported && _seen.Add((path, rule, detail)))
        {
            list.Add(new ScanFinding(path, severity, rule, detail, offset));
        }
    }

    /// <summary>Adds all findings of another collection.</summary>
    public void AddAll(Findings other)
    {
        foreach (var finding in other.Sorted())
        {
            Add(finding.Path, finding.Class, finding.Rule, finding.Detail, finding.Offset);
        }
    }

    // Names come from an attacker and end in logs, pages and terminals.
    private static string Printable(string text, int limit)
    {
        var builder = new StringBuilder(Math.Min(text.Length, limit));
        foreach (var c in text)
        {
            if (builder.Length >= limit)
            {
                break;
            }

            builder.Append(
                char.IsControl(c)
                || char.IsSurrogate(c)
                || char.GetUnicodeCategory(c)
                    is System.Globalization.UnicodeCategory.Format
                        or System.Globalization.UnicodeCategory.LineSeparator
                        or System.Globalization.UnicodeCategory.ParagraphSeparator
                        or System.Globalization.UnicodeCategory.PrivateUse
                        or System.Globalization.UnicodeCategory.OtherNotAssigned
                    ? '?'
                    : c
            );
        }

        return builder.ToString();
    }
}
