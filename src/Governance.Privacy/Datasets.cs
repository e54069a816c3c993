using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Privacy.AnonymiseDataset;
using Governance.Privacy.Contracts;
using Governance.Privacy.DeclareDataset;
using Governance.Privacy.DeriveDataset;
using Governance.Privacy.Engine;
using Governance.Privacy.ScanDataset;
using Governance.Privacy.Storage;
using Governance.Privacy.UploadDataset;
using Microsoft.EntityFrameworkCore;

namespace Governance.Privacy;

/// <summary>The module's face: reads here, changes in their slices.</summary>
internal sealed class Datasets(
    IDbContextFactory<GovernanceDb> databases,
    ActivePolicy policies,
    UploadHandler upload,
    DeclareHandler declare,
    AnonymiseHandler anonymise,
    DeriveHandler derive
) : IDatasets
{
    private const int MaxPage = 200;
    private const int MaxDepth = 32;

    public string RulesVersion => policies.Latest.Version;

    public async Task<DatasetView?> FindAsync(Digest sha256, CancellationToken cancellationToken) =>
        (await FindManyAsync([sha256], cancellationToken)).GetValueOrDefault(sha256);

    public async Task<DatasetView?> FindVisibleAsync(
        Digest sha256,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = (await db.CopiesAsync([sha256.Hex], cancellationToken)).Find(row =>
            visible(DatasetAccess.Target(row))
        );
        return row is null ? null : (await ViewsAsync(db, [row], cancellationToken))[0];
    }

    public async Task<IReadOnlyList<AccessTarget>> TargetsAsync(Digest sha256, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return [.. (await db.CopiesAsync([sha256.Hex], cancellationToken)).Select(DatasetAccess.Target)];
    }

    /// <summary>The view of one copy.</summary>
    public async Task<DatasetView> ViewAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Set<DatasetRow>().AsNoTracking().FirstAsync(item => item.Id == id, cancellationToken);
        return (await ViewsAsync(db, [row], cancellationToken))[0];
    }

    public Task<IReadOnlyDictionary<Digest, DatasetView>> FindManyAsync(
        IReadOnlyCollection<Digest> sha256,
        CancellationToken cancellationToken
    ) => FindManyVisibleAsync(sha256, _ => true, cancellationToken);

    public async Task<IReadOnlyDictionary<Digest, DatasetView>> FindManyVisibleAsync(
        IReadOnlyCollection<Digest> sha256,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await db.CopiesAsync([.. sha256.Select(digest => digest.Hex)], cancellationToken);
        var oldest = rows.Where(row => visible(DatasetAccess.Target(row)))
            .GroupBy(row => row.Sha256)
            .Select(group => group.First())
            .ToList();
        return (await ViewsAsync(db, oldest, cancellationToken)).ToDictionary(view => view.Sha256);
    }

    public async Task<Page<DatasetView>> ListAsync(
        Func<AccessTarget, bool> visible,
        int first,
        string? after,
        CancellationToken cancellationToken
    )
    {
        var size = Math.Clamp(first, 1, MaxPage);
        var (name, id) = Cursor(after);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var found = new List<DatasetRow>();
        while (true)
        {
            var batch = await db.Set<DatasetRow>()
                .AsNoTracking()
                .Where(row => row.Name.CompareTo(name) > 0 || (row.Name == name && row.Id > id))
                .OrderBy(row => row.Name)
                .ThenBy(row => row.Id)
                .Take(MaxPage)
                .ToListAsync(cancellationToken);
            found.AddRange(batch.Where(row => visible(DatasetAccess.Target(row))).Take(size + 1 - found.Count));
            if (found.Count > size || batch.Count < MaxPage)
            {
                break;
            }

            (name, id) = (batch[^1].Name, batch[^1].Id);
        }

        var shown = found.Take(size).ToList();
        var next = found.Count > size ? $"{shown[^1].Id:N}{shown[^1].Name}" : null;
        return new Page<DatasetView>(await ViewsAsync(db, shown, cancellationToken), next);
    }

    public async Task<PrivacyVerdict> JudgeAsync(
        IReadOnlyList<PrivacyInput> inputs,
        CancellationToken cancellationToken
    )
    {
        var rules = (await policies.NowAsync(cancellationToken)).Version;
        if (inputs.Count == 0)
        {
            return new PrivacyVerdict(PrivacyOutcome.Incomplete, ["The version has no input dataset."], rules);
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var verdicts = new List<PrivacyVerdict>();
        foreach (var input in inputs)
        {
            verdicts.Add(
                input.Sha256 is { } sha256
                    ? await JudgeContentAsync(db, input.Name, sha256, rules, [], cancellationToken)
                    : new PrivacyVerdict(
                        PrivacyOutcome.Incomplete,
                        [$"Input '{input.Name}' is not bound to a dataset known here."],
                        rules
                    )
            );
        }

        return DatasetJudge.Worst(verdicts, rules);
    }

    public async Task<Result<DatasetView>> UploadAsync(
        Actor actor,
        string name,
        string format,
        Stream content,
        CancellationToken cancellationToken
    ) => await ShowAsync(await upload.HandleAsync(actor, name, format, content, cancellationToken), cancellationToken);

    public async Task<Result<DatasetView>> DeclareAsync(
        Actor actor,
        Digest sha256,
        DatasetDeclaration declaration,
        CancellationToken cancellationToken
    ) => await ShowAsync(await declare.HandleAsync(actor, sha256, declaration, cancellationToken), cancellationToken);

    public async Task<Result<DatasetView>> AnonymiseAsync(
        Actor actor,
        Digest sha256,
        string outputName,
        IReadOnlyList<ColumnTreatment> treatments,
        CancellationToken cancellationToken
    ) =>
        await ShowAsync(
            await anonymise.HandleAsync(actor, sha256, outputName, treatments, cancellationToken),
            cancellationToken
        );

    public Task<Result<DerivationView>> DeriveAsync(
        Actor actor,
        IReadOnlyList<Digest> inputs,
        Digest output,
        string description,
        IReadOnlyDictionary<string, IReadOnlyList<string>> columns,
        CancellationToken cancellationToken
    ) => derive.HandleAsync(actor, inputs, output, description, columns, cancellationToken);

    public async Task<ILookup<Digest, DerivationView>> DerivationsOfAsync(
        IReadOnlyCollection<Digest> outputs,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await db.DerivationsAsync([.. outputs.Select(digest => digest.Hex)], cancellationToken);
        return rows.SelectMany(group => group).Select(DatasetQueries.View).ToLookup(view => view.Output);
    }

    // Copies of the same bytes differ only in what officers declared. Their word holds for the bytes: copies that carry one
    // decide, the worst of them; an upload by somebody else neither helps nor harms.
    private static async Task<PrivacyVerdict> JudgeContentAsync(
        GovernanceDb db,
        string name,
        Digest sha256,
        string rules,
        HashSet<string> seen,
        CancellationToken cancellationToken
    )
    {
        var copies = await db.CopiesAsync([sha256.Hex], cancellationToken);
        if (copies.Count == 0)
        {
            return new PrivacyVerdict(PrivacyOutcome.Incomplete, [$"Dataset '{name}' was never brought here."], rules);
        }

        var ids = copies.Select(row => row.Id).ToList();
        var declared = await db.Set<DeclarationRow>()
            .AsNoTracking()
            .Where(row => ids.Contains(row.DatasetId))
            .Select(row => row.DatasetId)
            .Distinct()
            .ToListAsync(cancellationToken);
        var deciding = copies.Where(row => declared.Contains(row.Id)).ToList();
        if (deciding.Count == 0)
        {
            deciding = [.. copies.Where(row => IsCurrent(row, rules)).Take(1)];
        }

        if (deciding.Count == 0)
        {
            deciding = copies[..1];
        }

        var verdict = DatasetJudge.Worst(deciding.Select(row => OwnVerdict(row, name, rules)), rules);
        return deciding.TrueForAll(row => IsCurrent(row, rules))
            ? verdict
            : await InheritAsync(db, name, sha256, verdict, rules, seen, cancellationToken);
    }

    // Until its own scan clears it, a derived table is as bad as what it was made of.
    private static async Task<PrivacyVerdict> InheritAsync(
        GovernanceDb db,
        string name,
        Digest sha256,
        PrivacyVerdict own,
        string rules,
        HashSet<string> seen,
        CancellationToken cancellationToken
    )
    {
        var verdicts = new List<PrivacyVerdict> { own };
        if (!seen.Add(sha256.Hex) || seen.Count > MaxDepth)
        {
            return own;
        }

        foreach (var derivation in (await db.DerivationsAsync([sha256.Hex], cancellationToken))[sha256.Hex])
        {
            foreach (var parent in DatasetQueries.List(derivation.Inputs))
            {
                var label = $"sha256:{parent[..12]}… behind '{name}'";
                var above = await JudgeContentAsync(db, label, Digest.Parse(parent), rules, seen, cancellationToken);
                verdicts.Add(above);
            }
        }

        return DatasetJudge.Worst(verdicts, rules);
    }

    private static bool IsCurrent(DatasetRow row, string rules) =>
        row.ScanState == ScanStates.Scanned && row.RulesVersion == rules;

    private static PrivacyVerdict OwnVerdict(DatasetRow row, string name, string rules)
    {
        if (row.ScanState == ScanStates.Pending)
        {
            return new PrivacyVerdict(PrivacyOutcome.Incomplete, [$"Dataset '{name}' is not scanned yet."], rules);
        }

        if (row.ScanState == ScanStates.Scanned && row.RulesVersion != rules)
        {
            return new PrivacyVerdict(
                PrivacyOutcome.Incomplete,
                [$"Dataset '{name}' was scanned under older rules ({row.RulesVersion})."],
                rules
            );
        }

        // The name in the stored reasons is this copy's, which may belong to somebody else.
        return new PrivacyVerdict(
            Enum.Parse<PrivacyOutcome>(row.Outcome),
            [
                .. DatasetQueries
                    .List(row.Reasons)
                    .Select(reason =>
                        reason.Replace($"Dataset '{row.Name}'", $"Dataset '{name}'", StringComparison.Ordinal)
                    ),
            ],
            rules
        );
    }

    private async Task<IReadOnlyList<DatasetView>> ViewsAsync(
        GovernanceDb db,
        IReadOnlyList<DatasetRow> rows,
        CancellationToken cancellationToken
    )
    {
        var rules = (await policies.NowAsync(cancellationToken)).Version;
        var ids = rows.Select(row => row.Id).ToList();
        var columns = await db.ColumnsAsync(ids, cancellationToken);
        var measures = await db.Set<MeasureRow>()
            .AsNoTracking()
            .Where(row => ids.Contains(row.DatasetId))
            .ToDictionaryAsync(row => row.DatasetId, cancellationToken);
        var derivations = await db.DerivationsAsync([.. rows.Select(row => row.Sha256)], cancellationToken);
        var views = new List<DatasetView>();
        foreach (var row in rows)
        {
            var own = OwnVerdict(row, row.Name, rules);
            views.Add(
                new DatasetView
                {
                    Sha256 = Digest.Parse(row.Sha256),
                    Name = row.Name,
                    OwnerId = row.OwnerId,
                    Format = row.Format,
                    Size = row.Size,
                    Rows = row.Rows,
                    ScanState = row.ScanState,
                    Verdict = IsCurrent(row, rules)
                        ? own
                        : await InheritAsync(db, row.Name, Digest.Parse(row.Sha256), own, rules, [], cancellationToken),
                    Columns = [.. columns[row.Id].Select(DatasetQueries.Final)],
                    Anonymity = measures.TryGetValue(row.Id, out var measure) ? ScanJob.Measure(measure) : null,
                    LegalBasis = row.LegalBasis,
                    Purpose = row.Purpose,
                    DerivedFrom =
                    [
                        .. derivations[row.Sha256]
                            // Derivations that somebody else recorded about the same bytes are not this owner's to see.
                            .Where(item => item.ActorId == row.OwnerId)
                            .SelectMany(item => DatasetQueries.List(item.Inputs))
                            .Distinct(StringComparer.Ordinal)
                            .Select(Digest.Parse),
                    ],
                    CreatedAt = row.CreatedAt,
                    Retained = row.WrappedKey is not null,
                }
            );
        }

        return views;
    }

    private async Task<Result<DatasetView>> ShowAsync(Result<Guid> result, CancellationToken cancellationToken) =>
        result.Ok ? await ViewAsync(result.Value, cancellationToken) : result.Failure;

    private static (string Name, Guid Id) Cursor(string? after) =>
        after is { Length: > 32 } && Guid.TryParseExact(after[..32], "N", out var id)
            ? (after[32..], id)
            : ("", Guid.Empty);
}
