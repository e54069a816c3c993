using Governance.Kernel;
using Governance.Privacy.Contracts;

namespace Governance.Privacy.Engine;

/// <summary>Everything one scan of a dataset found: what the values say, what is concluded with provenance and declarations, the measure.</summary>
/// <param name="Scanned">Findings of the values and names alone.</param>
/// <param name="Columns">Findings after provenance and declarations.</param>
/// <param name="Rows">Rows read.</param>
/// <param name="Set">What was measured over.</param>
/// <param name="Measure">Null without quasi-identifiers and sensitive columns.</param>
internal sealed record DatasetScan(
    IReadOnlyList<ColumnFinding> Scanned,
    IReadOnlyList<ColumnFinding> Columns,
    long Rows,
    QuasiSet Set,
    AnonymityMeasure? Measure
)
{
    /// <summary>Scans a source; each pass opens it again.</summary>
    public static Result<DatasetScan> Run(
        Func<Stream> open,
        TableLimits limits,
        PrivacyPolicy policy,
        IReadOnlyDictionary<string, Provenance> provenance,
        EffectiveDeclaration declared,
        CancellationToken cancellationToken
    )
    {
        var table = CsvTable.Open(open, limits, cancellationToken);
        if (!table.Ok)
        {
            return table.Failure;
        }

        var profile = TableScanner.Profile(table.Value, policy, cancellationToken);
        if (!profile.Ok)
        {
            return profile.Failure;
        }

        var columns = Declarations.Apply(profile.Value.Columns, provenance, declared, policy);
        var set = QuasiSet.Of(columns, declared);
        AnonymityMeasure? measure = null;
        if (set.Quasi.Count > 0)
        {
            var measured = TableScanner.Measure(
                table.Value,
                set,
                Math.Max(policy.LeastK, declared.AskedK),
                cancellationToken
            );
            if (!measured.Ok)
            {
                return measured.Failure;
            }

            measure = measured.Value;
        }

        return new DatasetScan(profile.Value.Columns, columns, profile.Value.Rows, set, measure);
    }

    /// <summary>The verdict under a name.</summary>
    public PrivacyVerdict Judge(string dataset, PrivacyPolicy policy) =>
        DatasetJudge.Judge(dataset, Columns, Measure, Set, policy.LeastL, policy.Version);
}
