using Governance.Gateway.GraphQl.Guard;
using Governance.Gateway.GraphQl.Loading;
using Governance.Kernel;
using Governance.Privacy.Contracts;
using Governance.Registry.Contracts;
using GraphQL;
using GraphQL.DataLoader;

namespace Governance.Gateway.GraphQl.Fields;

/// <summary>One page of datasets.</summary>
[Name("DatasetPage")]
[Needs("dataset:read")]
internal sealed class DatasetPage(Page<DatasetView> page)
{
    /// <summary>The datasets of this page, by name.</summary>
    [Cost(Length = 1)]
    public IEnumerable<DatasetFields> Items => page.Items.Select(view => new DatasetFields(view));

    /// <summary>Give this as after to get the next page; null on the last one.</summary>
    public string? NextToken => page.NextToken;
}

/// <summary>A dataset, known by its bytes.</summary>
[Name("Dataset")]
[Needs("dataset:read")]
internal sealed class DatasetFields(DatasetView view) : IProtected
{
    AccessTarget IProtected.Target => view.Target;

    /// <summary>SHA-256 of its bytes: its identity.</summary>
    [Id]
    public string Sha256 => view.Sha256.Hex;

    /// <summary>URN in lineage and log.</summary>
    public string Urn => Platform.Graph.Urn.Dataset(view.Sha256);

    /// <summary>Name that its owner gave it.</summary>
    public string Name => view.Name;

    /// <summary>Pseudonym of its owner.</summary>
    public string Owner => view.OwnerId;

    /// <summary>Format, for example csv.</summary>
    public string Format => view.Format;

    /// <summary>Bytes.</summary>
    public long Size => view.Size;

    /// <summary>Rows, once scanned.</summary>
    public long? Rows => view.Rows;

    /// <summary>State of its scan: PENDING, SCANNED or FAILED.</summary>
    public string ScanState => view.ScanState;

    /// <summary>Privacy verdict on the dataset itself.</summary>
    public VerdictFields Verdict => new(view);

    /// <summary>Names of its columns, once scanned.</summary>
    public IEnumerable<string> Columns => view.Columns.Select(column => column.Name);

    /// <summary>What the scan found in each column. Reading this is logged.</summary>
    [Needs("finding:read")]
    public IDataLoaderResult<IEnumerable<FindingFields>?> Findings([FromServices] Loads loads) =>
        loads
            .FindingReads.Load(view.Sha256)
            .Then(
                IEnumerable<FindingFields>? (logged) => logged ? view.Columns.Select(c => new FindingFields(c)) : null
            );

    /// <summary>How well groups of rows hide a single person, once quasi-identifiers are set.</summary>
    public AnonymityFields? Anonymity => view.Anonymity is { } measure ? new AnonymityFields(measure) : null;

    /// <summary>Legal basis, as a privacy officer declared it.</summary>
    public string? LegalBasis => view.LegalBasis;

    /// <summary>Purpose, as declared.</summary>
    public string? Purpose => view.Purpose;

    /// <summary>When it was added, UTC.</summary>
    public DateTimeOffset CreatedAt => view.CreatedAt;

    /// <summary>Whether its raw bytes are still kept.</summary>
    public bool Retained => view.Retained;

    /// <summary>Datasets that it was derived from, as far as you may see them.</summary>
    [Cost(Length = 3)]
    public IDataLoaderResult<IEnumerable<DatasetFields>> DerivedFrom(
        [FromServices] Loads loads,
        [FromServices] Caller caller
    ) =>
        loads
            .Datasets.LoadMany(view.DerivedFrom)
            .Then(found => found.Select(parent => For(caller, parent)).OfType<DatasetFields>());

    /// <summary>How it was made from others.</summary>
    [Cost(Length = 3)]
    public IDataLoaderResult<IEnumerable<DerivationFields>> Derivations([FromServices] Loads loads) =>
        loads.Derivations.Load(view.Sha256).Then(found => (found ?? []).Select(made => new DerivationFields(made)));

    /// <summary>Versions whose run used it, as far as you may see them.</summary>
    [Needs("model:read")]
    [Cost(Own = 50)]
    public async Task<IDataLoaderResult<IEnumerable<VersionFields>?>> VersionsTrainedOn(
        [FromServices] IRegistryReader registry,
        [FromServices] Loads loads,
        [FromServices] Caller caller,
        CancellationToken cancellationToken
    )
    {
        var versions = await registry.VersionsTrainedOnAsync(view.Sha256, cancellationToken);
        return loads
            .Versions.LoadMany(versions)
            .Then(
                IEnumerable<VersionFields>? (found) =>
                    found
                        .Where(version => caller.May(Permissions.ModelRead, version.Target))
                        .Select(version => new VersionFields(version))
            );
    }

    internal static DatasetFields? For(Caller caller, DatasetView? view) =>
        view is not null && caller.May(Permissions.DatasetRead, view.Target) ? new DatasetFields(view) : null;
}

/// <summary>A privacy verdict.</summary>
[Name("PrivacyVerdict")]
[Needs("dataset:read")]
internal sealed class VerdictFields(DatasetView view) : IProtected
{
    AccessTarget IProtected.Target => view.Target;

    /// <summary>The answer.</summary>
    public PrivacyOutcome Outcome => view.Verdict.Outcome;

    /// <summary>Why, one sentence each; never a value of the data. Reading this is logged.</summary>
    [Needs("finding:read")]
    public IDataLoaderResult<IEnumerable<string>?> Reasons([FromServices] Loads loads) =>
        loads
            .FindingReads.Load(view.Sha256)
            .Then(IEnumerable<string>? (logged) => logged ? view.Verdict.Reasons : null);

    /// <summary>Version of detectors and policy.</summary>
    public string RulesVersion => view.Verdict.RulesVersion;
}

/// <summary>What a scan found in one column; never a value of it.</summary>
[Name("Finding")]
[Needs("finding:read")]
internal sealed class FindingFields(ColumnFinding finding)
{
    /// <summary>Column name.</summary>
    public string Column => finding.Name;

    /// <summary>Kind of personal data, NONE or UNKNOWN.</summary>
    public string What => finding.What;

    /// <summary>State, for example raw, masked or token.</summary>
    public string State => finding.State;

    /// <summary>Role, for example direct or quasi.</summary>
    public string Role => finding.Role;

    /// <summary>How it was decided.</summary>
    public string Evidence => finding.Evidence;

    /// <summary>Values that matched.</summary>
    public long Matches => finding.Matches;

    /// <summary>Values that were looked at.</summary>
    public long Rows => finding.Rows;
}

/// <summary>How well groups of rows hide a single person.</summary>
[Name("Anonymity")]
[Needs("dataset:read")]
internal sealed class AnonymityFields(AnonymityMeasure measure)
{
    /// <summary>Columns that rows are grouped by.</summary>
    public IReadOnlyList<string> QuasiIdentifiers => measure.QuasiIdentifiers;

    /// <summary>Who set them: policy, or the pseudonym of a privacy officer.</summary>
    public string SetBy => measure.SetBy;

    /// <summary>Size of the smallest group.</summary>
    public long K => measure.K;

    /// <summary>Smallest size allowed.</summary>
    public int LeastK => measure.LeastK;

    /// <summary>Number of groups.</summary>
    public long Classes => measure.Classes;

    /// <summary>Rows measured.</summary>
    public long Rows => measure.Rows;

    /// <summary>Rows that are alone in their group.</summary>
    public long UniqueRows => measure.UniqueRows;

    /// <summary>Fewest different sensitive values in a group, once sensitive columns are declared.</summary>
    public int? L => measure.L;
}

/// <summary>How a dataset was made from others.</summary>
[Name("Derivation")]
[Needs("dataset:read")]
internal sealed class DerivationFields(DerivationView view)
{
    /// <summary>Id of the transformation.</summary>
    [Id]
    public Guid Id => view.Id;

    /// <summary>SHA-256 of what was made.</summary>
    public string Output => view.Output.Hex;

    /// <summary>What was used, as far as you may see it.</summary>
    [Cost(Length = 3)]
    public IDataLoaderResult<IEnumerable<DatasetFields>> Inputs(
        [FromServices] Loads loads,
        [FromServices] Caller caller
    ) =>
        loads
            .Datasets.LoadMany(view.Inputs)
            .Then(found => found.Select(input => DatasetFields.For(caller, input)).OfType<DatasetFields>());

    /// <summary>What was done.</summary>
    public string Description => view.Description;

    /// <summary>How well it is known: observed, attested or declared.</summary>
    public string Grade => view.Grade;

    /// <summary>Which columns each column was made of.</summary>
    public IEnumerable<ColumnSourceFields> Columns =>
        view.Columns.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => new ColumnSourceFields(c.Key, c.Value));
}

/// <summary>What a column was made of.</summary>
[Name("ColumnSource")]
[Needs("dataset:read")]
internal sealed class ColumnSourceFields(string column, IReadOnlyList<string> from)
{
    /// <summary>Column of the output.</summary>
    public string Column => column;

    /// <summary>Columns of the inputs.</summary>
    public IReadOnlyList<string> From => from;
}
