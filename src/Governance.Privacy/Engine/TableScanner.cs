using Governance.Kernel;
using Governance.Privacy.Contracts;

namespace Governance.Privacy.Engine;

/// <summary>What one full pass over a table found.</summary>
/// <param name="Columns">One finding per column, in order.</param>
/// <param name="Rows">Rows read: all of them.</param>
internal sealed record TableProfile(IReadOnlyList<ColumnFinding> Columns, long Rows);

/// <summary>Passes over a table: every row, no sampling.</summary>
internal static class TableScanner
{
    /// <summary>Profiles and classifies every column.</summary>
    public static Result<TableProfile> Profile(
        CsvTable table,
        PrivacyPolicy policy,
        CancellationToken cancellationToken
    )
    {
        var columns = table.Columns.Select(name => new ColumnProfile(name, policy)).ToArray();
        var first = new List<string[]>();
        var read = table.Read(
            reader =>
            {
                for (var i = 0; i < columns.Length; i++)
                {
                    columns[i].Observe(reader.GetFieldSpan(i));
                }

                if (first.Count < HashLink.Rows)
                {
                    first.Add([.. Enumerable.Range(0, columns.Length).Select(i => reader.GetString(i).Trim())]);
                }
            },
            cancellationToken
        );
        return read.Map(rows => new TableProfile(
            [.. columns.Select((column, i) => ColumnClassifier.Classify(column, policy, SourceOf(i)))],
            rows
        ));

        // The hash of a row number or a measure says no more than that.
        (string Column, string Evidence)? SourceOf(int column) =>
            HashLink.Find(first, column, table.Columns) is { } link
            && ColumnClassifier.Classify(columns.First(other => other.Name == link.Column), policy, null).What
                != Kinds.None
                ? link
                : null;
    }

    /// <summary>Measures anonymity over columns by name; names that are not in the table are <c>privacy.unknown_column</c>.</summary>
    public static Result<AnonymityMeasure> Measure(
        CsvTable table,
        QuasiSet set,
        int leastK,
        CancellationToken cancellationToken
    )
    {
        var ordinals = table
            .Columns.Select((name, i) => (name, i))
            .ToDictionary(pair => pair.name, pair => pair.i, StringComparer.Ordinal);
        if (set.Quasi.Concat(set.Sensitive).Any(name => !ordinals.ContainsKey(name)))
        {
            return Failure.Invalid("privacy.unknown_column", "The table has no column of that name.");
        }

        var measure = new Anonymity(
            [.. set.Quasi.Select(name => ordinals[name])],
            [.. set.Sensitive.Select(name => ordinals[name])]
        );
        var read = table.Read(reader => measure.Add(i => reader.GetFieldSpan(i)), cancellationToken);
        return read.Map(rows => new AnonymityMeasure(
            set.Quasi,
            set.SetBy,
            measure.K,
            measure.Classes,
            rows,
            measure.UniqueRows,
            leastK,
            measure.L
        ));
    }
}

/// <summary>Columns to group by and to count in groups.</summary>
/// <param name="Quasi">Quasi-identifiers.</param>
/// <param name="Sensitive">Sensitive columns.</param>
/// <param name="SetBy">policy, or the officer's pseudonym.</param>
internal sealed record QuasiSet(IReadOnlyList<string> Quasi, IReadOnlyList<string> Sensitive, string SetBy)
{
    /// <summary>
    /// The officer's columns, or those that policy names; always with what masking and truncation leave of a direct
    /// identifier, since four last digits single out people too.
    /// </summary>
    public static QuasiSet Of(IReadOnlyList<ColumnFinding> columns, EffectiveDeclaration declared) =>
        new(
            [
                .. columns
                    .Where(column =>
                        IsRemainder(column)
                        || (
                            declared.Quasi?.Contains(column.Name, StringComparer.Ordinal)
                            ?? (column.Role == Roles.Quasi || declared.Above.Quasi.Contains(column.Name))
                        )
                    )
                    .Select(column => column.Name),
            ],
            declared.Sensitive
                ??
                [
                    .. columns
                        .Where(column =>
                            column.Role == Roles.Sensitive || declared.Above.Sensitive.Contains(column.Name)
                        )
                        .Select(column => column.Name),
                ],
            declared.QuasiSetBy ?? declared.Above.QuasiSetBy ?? "policy"
        );

    private static bool IsRemainder(ColumnFinding column) =>
        column.Role == Roles.Direct && column.State is States.Masked or States.Truncated or States.Generalised;
}
