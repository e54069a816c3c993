using System.Text.Json;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Privacy.Contracts;
using Governance.Privacy.Engine;
using Microsoft.EntityFrameworkCore;

namespace Governance.Privacy.Storage;

/// <summary>Reads of the module's tables, shared by its slices.</summary>
internal static class DatasetQueries
{
    /// <summary>Copies with a digest, oldest first.</summary>
    public static Task<List<DatasetRow>> CopiesAsync(
        this GovernanceDb db,
        IReadOnlyCollection<string> sha256,
        CancellationToken cancellationToken
    ) =>
        db.Set<DatasetRow>()
            .AsNoTracking()
            .Where(row => sha256.Contains(row.Sha256))
            .OrderBy(row => row.Id)
            .ToListAsync(cancellationToken);

    /// <summary>Findings of many copies in one query, in column order.</summary>
    public static async Task<ILookup<Guid, ColumnRow>> ColumnsAsync(
        this GovernanceDb db,
        IReadOnlyCollection<Guid> ids,
        CancellationToken cancellationToken
    ) =>
        (
            await db.Set<ColumnRow>()
                .AsNoTracking()
                .Where(row => ids.Contains(row.DatasetId))
                .OrderBy(row => row.Ordinal)
                .ToListAsync(cancellationToken)
        ).ToLookup(row => row.DatasetId);

    /// <summary>Derivations of outputs, oldest first.</summary>
    public static async Task<ILookup<string, DerivationRow>> DerivationsAsync(
        this GovernanceDb db,
        IReadOnlyCollection<string> outputs,
        CancellationToken cancellationToken
    ) =>
        (
            await db.Set<DerivationRow>()
                .AsNoTracking()
                .Where(row => outputs.Contains(row.Output))
                .OrderBy(row => row.Id)
                .ToListAsync(cancellationToken)
        ).ToLookup(row => row.Output);

    /// <summary>What officers said about a copy so far.</summary>
    public static async Task<EffectiveDeclaration> DeclaredAsync(
        this GovernanceDb db,
        Guid id,
        CancellationToken cancellationToken
    ) =>
        (
            await db.Set<DeclarationRow>()
                .AsNoTracking()
                .Where(row => row.DatasetId == id)
                .OrderBy(row => row.Id)
                .ToListAsync(cancellationToken)
        ).Aggregate(
            EffectiveDeclaration.Empty,
            (known, row) =>
                known.With(
                    row.OfficerId,
                    JsonSerializer.Deserialize(row.Declaration, PrivacyJson.Default.DatasetDeclaration)!
                )
        );

    /// <summary>
    /// What officers said about everything that an output was made of, nearest first, as far as its columns come from there:
    /// only an observed drop or tokenise step ends it. <paramref name="below"/> guards against circles.
    /// </summary>
    public static async Task<Bound> AboveAsync(
        this GovernanceDb db,
        string output,
        IReadOnlyList<string> below,
        CancellationToken cancellationToken
    )
    {
        var answer = Bound.Nothing;
        if (below.Contains(output, StringComparer.Ordinal))
        {
            return answer;
        }

        foreach (var derivation in (await db.DerivationsAsync([output], cancellationToken))[output])
        {
            var columns = Columns(derivation);
            var methods = Treatments(derivation);
            foreach (var parent in List(derivation.Inputs))
            {
                var declared = new List<EffectiveDeclaration>();
                foreach (var copy in await db.CopiesAsync([parent], cancellationToken))
                {
                    declared.Add(await db.DeclaredAsync(copy.Id, cancellationToken));
                }

                var above = await db.AboveAsync(parent, [.. below, output], cancellationToken);
                answer = answer.And(
                    Bound
                        .PassedOn(declared, above)
                        .Through(
                            source => Children(source, columns, methods, derivation.Treatments is null),
                            child => methods.GetValueOrDefault(child) == "keep"
                        )
                );
            }
        }

        return answer;
    }

    // Somebody's word about a derivation may leave columns out: one of the same name is the same column.
    private static IEnumerable<string> Children(
        string source,
        IReadOnlyDictionary<string, IReadOnlyList<string>> columns,
        Dictionary<string, string> methods,
        bool isDeclared
    ) =>
        columns
            .Where(pair =>
                pair.Value.Contains(source, StringComparer.Ordinal) && methods.GetValueOrDefault(pair.Key) != "tokenise"
            )
            .Select(pair => pair.Key)
            .Concat(isDeclared && !columns.ContainsKey(source) ? [source] : []);

    /// <summary>Where the columns of an output came from: the worst known parent column of each.</summary>
    public static async Task<Dictionary<string, Provenance>> ProvenanceAsync(
        this GovernanceDb db,
        string output,
        CancellationToken cancellationToken
    )
    {
        var answer = new Dictionary<string, Provenance>(StringComparer.Ordinal);
        foreach (var derivation in (await db.DerivationsAsync([output], cancellationToken))[output])
        {
            var parents = await db.CopiesAsync(List(derivation.Inputs), cancellationToken);
            var findings = await db.ColumnsAsync([.. parents.Select(row => row.Id)], cancellationToken);
            var methods = Treatments(derivation);
            foreach (var (column, sources) in Columns(derivation))
            {
                foreach (var parent in parents)
                {
                    var found = findings[parent.Id]
                        .Where(row => sources.Contains(row.Name, StringComparer.Ordinal) && row.What != Kinds.None)
                        .OrderBy(row => row.What == Kinds.Unknown)
                        .FirstOrDefault();
                    if (found is not null && (!answer.TryGetValue(column, out var known) || known.Method is null))
                    {
                        answer[column] = new Provenance(
                            Final(found),
                            parent.Sha256[..12],
                            methods.GetValueOrDefault(column)
                        );
                    }
                }
            }
        }

        return answer;
    }

    public static ColumnFinding Final(ColumnRow row) =>
        new(row.Name, row.What, row.State, row.Role, row.Evidence, row.Matches, row.Rows);

    public static IReadOnlyList<string> List(string json) =>
        JsonSerializer.Deserialize(json, PrivacyJson.Default.IReadOnlyListString)!;

    public static string Json(IReadOnlyList<string> list) =>
        JsonSerializer.Serialize(list, PrivacyJson.Default.IReadOnlyListString);

    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Columns(DerivationRow row) =>
        JsonSerializer.Deserialize(row.Columns, PrivacyJson.Default.IReadOnlyDictionaryStringIReadOnlyListString)!;

    public static DerivationView View(DerivationRow row) =>
        new(
            row.Id,
            [.. List(row.Inputs).Select(Digest.Parse)],
            Digest.Parse(row.Output),
            row.Description,
            Columns(row),
            row.Grade
        );

    private static Dictionary<string, string> Treatments(DerivationRow row) =>
        row.Treatments is null
            ? []
            : JsonSerializer
                .Deserialize(row.Treatments, PrivacyJson.Default.IReadOnlyListColumnTreatment)!
                .ToDictionary(treatment => treatment.Column, treatment => treatment.Method, StringComparer.Ordinal);
}
