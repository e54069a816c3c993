using System.Security.Cryptography;
using Governance.Kernel;
using Governance.Privacy.Contracts;
using Governance.Privacy.Engine;

namespace Governance.Privacy;

/// <summary>What a table is, without a gateway.</summary>
/// <param name="Columns">One finding per column.</param>
/// <param name="Rows">Rows read: all of them.</param>
/// <param name="Anonymity">Over the quasi-identifiers, null without one.</param>
/// <param name="Verdict">As the gateway would judge the table alone.</param>
public sealed record TableReport(
    IReadOnlyList<ColumnFinding> Columns,
    long Rows,
    AnonymityMeasure? Anonymity,
    PrivacyVerdict Verdict
);

/// <summary>The engine for use beside the data: files in, counts and kinds out. No database, no network; values never leave.</summary>
public static class PrivacyTools
{
    /// <summary>Identifiers in a text, by position. Throws when a pattern times out: nothing is skipped silently.</summary>
    public static IReadOnlyList<TextFinding> DetectText(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TextDetector.Find(text);
    }

    /// <summary>Profiles, measures and judges a CSV file under a policy text. Codes <c>privacy.*</c>.</summary>
    public static Result<TableReport> ScanCsv(string path, string policyText, CancellationToken cancellationToken) =>
        ScanCsv(path, policyText, null, null, cancellationToken);

    /// <summary>As above, with quasi-identifiers and sensitive columns named by the caller where not null.</summary>
    public static Result<TableReport> ScanCsv(
        string path,
        string policyText,
        IReadOnlyList<string>? quasiIdentifiers,
        IReadOnlyList<string>? sensitiveColumns,
        CancellationToken cancellationToken
    )
    {
        var policy = PrivacyPolicy.Parse(policyText);
        if (!policy.Ok)
        {
            return policy.Failure;
        }

        var declared = EffectiveDeclaration.Empty with
        {
            Quasi = quasiIdentifiers,
            QuasiSetBy = quasiIdentifiers is null ? null : "caller",
            Sensitive = sensitiveColumns,
        };
        return DatasetScan
            .Run(
                () => File.OpenRead(path),
                TableLimits.Default,
                policy.Value,
                new Dictionary<string, Provenance>(),
                declared,
                cancellationToken
            )
            .Map(scan => new TableReport(
                scan.Columns,
                scan.Rows,
                scan.Measure,
                scan.Judge(Path.GetFileName(path), policy.Value)
            ));
    }

    /// <summary>Measures anonymity of a CSV file over named columns. Codes <c>privacy.*</c>.</summary>
    public static Result<AnonymityMeasure> Measure(
        string path,
        IReadOnlyList<string> quasiIdentifiers,
        IReadOnlyList<string> sensitiveColumns,
        int leastK,
        CancellationToken cancellationToken
    )
    {
        var table = CsvTable.Open(() => File.OpenRead(path), TableLimits.Default, cancellationToken);
        return table.Ok
            ? TableScanner.Measure(
                table.Value,
                new QuasiSet(quasiIdentifiers, sensitiveColumns, "caller"),
                leastK,
                cancellationToken
            )
            : table.Failure;
    }

    /// <summary>
    /// Writes a treated copy of a CSV file; every column needs a treatment. Tokens are keyed with <paramref name="tokenKey"/>,
    /// 32 bytes or more, or with a random key that is thrown away when it is null. Returns the rows. Codes <c>privacy.*</c>.
    /// </summary>
    public static Result<long> AnonymiseCsv(
        string path,
        string outputPath,
        IReadOnlyList<ColumnTreatment> treatments,
        byte[]? tokenKey,
        CancellationToken cancellationToken
    )
    {
        if (tokenKey is { Length: < 32 })
        {
            return Failure.Invalid("privacy.weak_key", "A token key has 32 bytes or more.");
        }

        var table = CsvTable.Open(() => File.OpenRead(path), TableLimits.Default, cancellationToken);
        if (!table.Ok)
        {
            return table.Failure;
        }

        var plan = Anonymiser.Plan(table.Value.Columns, treatments, tokenKey ?? RandomNumberGenerator.GetBytes(32));
        if (!plan.Ok)
        {
            return plan.Failure;
        }

        using var output = new FileStream(outputPath, FileMode.CreateNew, FileAccess.Write);
        return plan.Value.Write(table.Value, output, cancellationToken);
    }
}
