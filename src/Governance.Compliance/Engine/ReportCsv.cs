using System.Globalization;
using System.Text;

namespace Governance.Compliance.Engine;

/// <summary>The report as a table: RFC 4180, one row per control, safe to open in a spreadsheet.</summary>
internal static class ReportCsv
{
    // OWASP ASVS 5.0 1.2.10; the full-width forms and the line feed are taken for the same by some spreadsheets.
    private const string FormulaStarts = "=+-@\t\r\n\0＝＋－＠";
    private static readonly string[] Header =
    [
        "report",
        "created_at",
        "regulation",
        "catalogue_version",
        "model",
        "version",
        "evidence_subject",
        "control",
        "article",
        "requirement",
        "law_text",
        "state",
        "explanation",
        "evidence",
    ];

    public static byte[] Of(ReportContent content)
    {
        var text = new StringBuilder();
        Row(text, Header);
        foreach (var (result, control) in content.Controls.Zip(content.Catalogue.Controls))
        {
            Row(
                text,
                content.Id.ToString(),
                ReportContent.Text(content.CreatedAt),
                content.Catalogue.Regulation,
                content.Catalogue.Version.ToString(CultureInfo.InvariantCulture),
                content.Version.Model,
                content.Version.Version.ToString(CultureInfo.InvariantCulture),
                content.Facts.Version.EvidenceSubject.Hex,
                result.Id,
                result.Article,
                result.Requirement,
                content.Catalogue.Sources[control.Source],
                ReportContent.Word(result.State),
                result.Explanation,
                string.Join(" | ", result.Evidence)
            );
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>One field: quoted, invisible characters shown, and never the beginning of a formula.</summary>
    public static string Field(string value)
    {
        var formula =
            value.TrimStart(' ') is { Length: > 0 } rest && FormulaStarts.Contains(rest[0], StringComparison.Ordinal);
        var visible = VisibleText.Of(value);
        return $"\"{(formula ? "'" : "")}{visible.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    private static void Row(StringBuilder text, params string[] fields) =>
        text.AppendJoin(',', fields.Select(Field)).Append("\r\n");
}
