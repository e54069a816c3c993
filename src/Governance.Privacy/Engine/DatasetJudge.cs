using Governance.Privacy.Contracts;

namespace Governance.Privacy.Engine;

/// <summary>The verdict of one dataset from what is known about it. Pure: the same findings give the same answer.</summary>
internal static class DatasetJudge
{
    private const int MaxReasons = 50;

    /// <summary>Worst of all columns and measures; every reason names dataset, column, kind and count.</summary>
    public static PrivacyVerdict Judge(
        string dataset,
        IReadOnlyList<ColumnFinding> columns,
        AnonymityMeasure? measure,
        QuasiSet set,
        int leastL,
        string rulesVersion
    )
    {
        var failed = new List<string>();
        var open = new List<string>();
        var notes = new List<string>();
        foreach (var column in columns)
        {
            JudgeColumn(dataset, column, failed, open, notes);
        }

        if (columns.Count == 0 || columns[0].Rows == 0)
        {
            open.Add($"Dataset '{dataset}' has no rows to judge.");
        }

        JudgeMeasure(dataset, measure, set, leastL, failed, open);
        var outcome =
            failed.Count > 0 ? PrivacyOutcome.Fail
            : open.Count > 0 ? PrivacyOutcome.Incomplete
            : PrivacyOutcome.Pass;
        return new PrivacyVerdict(outcome, [.. failed.Concat(open).Concat(notes).Take(MaxReasons)], rulesVersion);
    }

    /// <summary>The worse of verdicts; reasons of both, the worse first.</summary>
    public static PrivacyVerdict Worst(IEnumerable<PrivacyVerdict> verdicts, string rulesVersion)
    {
        var sorted = verdicts.OrderByDescending(verdict => verdict.Outcome).ToList();
        return new PrivacyVerdict(
            sorted.Count == 0 ? PrivacyOutcome.Incomplete : sorted[0].Outcome,
            [.. sorted.SelectMany(verdict => verdict.Reasons).Distinct(StringComparer.Ordinal).Take(MaxReasons)],
            rulesVersion
        );
    }

    private static void JudgeColumn(
        string dataset,
        ColumnFinding column,
        List<string> failed,
        List<string> open,
        List<string> notes
    )
    {
        var where = $"Dataset '{dataset}', column '{column.Name}'";
        if (column.What == Kinds.Unknown)
        {
            open.Add($"{where} is neither classified nor declared: {column.Evidence}.");
            return;
        }

        if (column.Role is not (Roles.Direct or Roles.FreeText) || column.What == Kinds.None)
        {
            return;
        }

        var count = $"{column.Matches} of {column.Rows} values";
        switch (column.State)
        {
            // A year of birth is a quasi-identifier; a phone number in narrow bands, or the start of a name, still points at one person.
            case States.Generalised when column.What == Kinds.BirthDate:
                break;
            case States.Generalised or States.Truncated:
                failed.Add(
                    $"{where} holds {column.What}, a direct identifier, only {column.State}: {count} ({column.Evidence})."
                );
                break;
            case States.Raw or States.None:
                failed.Add($"{where} holds {column.What} in clear: {count} ({column.Evidence}).");
                break;
            case States.Hashed:
                failed.Add(
                    $"{where} holds hashes of {column.What}, which can be guessed: {count} ({column.Evidence})."
                );
                break;
            case States.Token or States.KeyedHash:
                notes.Add(
                    $"{where} holds keyed {column.What}: pseudonymous for whoever holds the key ({column.Evidence})."
                );
                break;
            default:
                break;
        }
    }

    private static void JudgeMeasure(
        string dataset,
        AnonymityMeasure? measure,
        QuasiSet set,
        int leastL,
        List<string> failed,
        List<string> open
    )
    {
        if (set.Quasi.Count == 0)
        {
            return;
        }

        if (measure is null || !measure.QuasiIdentifiers.SequenceEqual(set.Quasi, StringComparer.Ordinal))
        {
            open.Add(
                $"Dataset '{dataset}' is not measured over its quasi-identifiers ({string.Join(", ", set.Quasi)})."
            );
            return;
        }

        if (measure.K < measure.LeastK)
        {
            failed.Add(
                $"Dataset '{dataset}' has k {measure.K} over {string.Join(", ", set.Quasi)}, below {measure.LeastK}: {measure.UniqueRows} of {measure.Rows} rows are unique."
            );
        }

        if (measure.L < leastL)
        {
            failed.Add(
                $"Dataset '{dataset}' has distinct l {measure.L} over {string.Join(", ", set.Sensitive)}, below {leastL}."
            );
        }
    }
}
