using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Governance.Kernel;
using Governance.Privacy.Contracts;

namespace Governance.Privacy.Engine;

/// <summary>
/// Writes a treated copy of a table: UTF-8, comma, one header row, RFC 4180 quoting. Values are never changed for the sake
/// of a spreadsheet: a leading <c>=</c> stays as it is, because the output is training data and must say what it says.
/// </summary>
internal sealed class Anonymiser
{
    public const int MaxKept = 4;

    private readonly IReadOnlyList<(int Ordinal, ColumnTreatment Treatment)> _kept;
    private readonly byte[] _key;

    private Anonymiser(IReadOnlyList<(int Ordinal, ColumnTreatment Treatment)> kept, byte[] key)
    {
        _kept = kept;
        _key = key;
    }

    /// <summary>Checks a plan against a table: every column is treated exactly once. Code <c>privacy.bad_treatment</c>.</summary>
    public static Result<Anonymiser> Plan(
        IReadOnlyList<string> columns,
        IReadOnlyList<ColumnTreatment> treatments,
        byte[] key
    )
    {
        var byName = new Dictionary<string, ColumnTreatment>(StringComparer.Ordinal);
        foreach (var treatment in treatments)
        {
            if (
                !byName.TryAdd(treatment.Column, treatment)
                || !columns.Contains(treatment.Column, StringComparer.Ordinal)
            )
            {
                return Bad($"column '{Shown(treatment.Column)}' is not in the table or is named twice");
            }

            if (!IsKnown(treatment))
            {
                return Bad(
                    $"the treatment of column '{treatment.Column}' is not known or its parameter is out of range"
                );
            }
        }

        // Deny by default: a column that nobody decided on must not slip through.
        var missing = columns.Where(name => !byName.ContainsKey(name)).ToList();
        if (missing.Count > 0)
        {
            return Bad($"column '{missing[0]}' has no treatment; say keep to keep it");
        }

        var kept = columns
            .Select((name, ordinal) => (Ordinal: ordinal, Treatment: byName[name]))
            .Where(pair => pair.Treatment.Method != "drop")
            .ToList();
        return kept.Count == 0 ? Bad("every column is dropped") : new Anonymiser(kept, key);
    }

    /// <summary>
    /// Refuses bands and prefixes of a direct identifier: they may be as narrow as the value itself. The year of a birth date
    /// is the exception. Code <c>privacy.generalised_direct</c>.
    /// </summary>
    public static Failure? CheckDirect(IReadOnlyList<ColumnFinding> known, IReadOnlyList<ColumnTreatment> treatments) =>
        treatments.FirstOrDefault(treatment =>
            treatment.Method == "generalise"
            && known.Any(column =>
                column.Name == treatment.Column
                && column.Role is Roles.Direct or Roles.FreeText
                && !(column.What == Kinds.BirthDate && treatment.Parameter == "year")
            )
        )
            is { } refused
            ? Failure.Invalid(
                "privacy.generalised_direct",
                $"Column '{refused.Column}' identifies a person directly: drop or tokenise it; only a birth date may become a year."
            )
            : null;

    /// <summary>Streams the treated table; returns its rows.</summary>
    public Result<long> Write(CsvTable table, Stream output, CancellationToken cancellationToken)
    {
        using var writer = new StreamWriter(output, new UTF8Encoding(false), 1 << 16, leaveOpen: true);
        var line = new StringBuilder();
        WriteLine(_kept.Select(pair => pair.Treatment.Column));
        return table.Read(
            reader => WriteLine(_kept.Select(pair => Treat(pair.Treatment, reader.GetString(pair.Ordinal)))),
            cancellationToken
        );

        void WriteLine(IEnumerable<string> fields)
        {
            line.Clear();
            var first = true;
            foreach (var field in fields)
            {
                line.Append(first ? "" : ",");
                first = false;
                Append(line, field);
            }

            // A lone empty field would read as a blank line.
            writer.Write(line.Length == 0 ? line.Append("\"\"").Append('\n') : line.Append('\n'));
        }
    }

    private static void Append(StringBuilder line, string field)
    {
        if (field.AsSpan().IndexOfAny(",\"\r\n") < 0)
        {
            line.Append(field);
        }
        else
        {
            line.Append('"').Append(field.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"');
        }
    }

    private static bool IsKnown(ColumnTreatment treatment) =>
        treatment.Method switch
        {
            "keep" or "drop" or "tokenise" => treatment.Parameter.Length == 0,
            "mask" => treatment.Parameter.Length == 0 || Number(treatment.Parameter) is >= 0 and <= MaxKept,
            "generalise" => treatment.Parameter == "year"
                || Prefix(treatment.Parameter) is >= 1 and <= 5
                || Number(treatment.Parameter) is >= 1 and <= 1_000_000_000,
            _ => false,
        };

    private string Treat(ColumnTreatment treatment, string value)
    {
        var trimmed = value.Trim();
        if (treatment.Method == "keep" || ShapeOf.IsMissing(trimmed))
        {
            return treatment.Method == "keep" ? value : "";
        }

        return treatment.Method switch
        {
            "tokenise" => ShapeOf.TokenPrefix
                + Convert.ToHexStringLower(HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(trimmed))),
            "mask" => Mask(trimmed, treatment.Parameter.Length == 0 ? 0 : Number(treatment.Parameter)),
            _ => Generalise(trimmed, treatment.Parameter),
        };
    }

    // A fixed number of marks: the length of a name says something, too.
    private static string Mask(string value, int keep) => "****" + (value.Length > keep * 2 ? value[^keep..] : "");

    // A value that does not have the form is left out: it could be anything.
    private static string Generalise(string value, string parameter)
    {
        if (parameter == "year")
        {
            return ShapeOf.Date(value, out var year) ? year.ToString(CultureInfo.InvariantCulture) : "";
        }

        if (Prefix(parameter) is > 0 and var length)
        {
            return value.Length > length ? value[..length] + "*" : "";
        }

        if (!decimal.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
        {
            return "";
        }

        var width = Number(parameter);
        var low = Math.Floor(number / width) * width;
        // 39.5 belongs to 30-39: one form for whole numbers and decimals, or one band would be two classes.
        return low < 0
            ? string.Create(CultureInfo.InvariantCulture, $"[{low:0},{low + width:0})")
            : string.Create(CultureInfo.InvariantCulture, $"{low:0}-{low + width - 1:0}");
    }

    private static int Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1;

    private static int Prefix(string text) =>
        text.StartsWith("prefix:", StringComparison.Ordinal) ? Number(text["prefix:".Length..]) : 0;

    private static string Shown(string name) => name.Length <= 128 && !name.Any(char.IsControl) ? name : "…";

    private static Failure Bad(string reason) => Failure.Invalid("privacy.bad_treatment", $"Not anonymised: {reason}.");
}
