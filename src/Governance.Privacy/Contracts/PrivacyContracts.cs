using Governance.Kernel;
using Governance.Platform.Database;

namespace Governance.Privacy.Contracts;

/// <summary>Answer of a privacy evaluation.</summary>
public enum PrivacyOutcome
{
    /// <summary>Everything is known and within policy.</summary>
    Pass,

    /// <summary>Something is not known: no input, an input not scanned, a column neither classified nor declared.</summary>
    Incomplete,

    /// <summary>Personal data in clear, or an anonymity measure below policy.</summary>
    Fail,
}

/// <summary>What a column holds, in what state, in which role.</summary>
/// <param name="Name">Column name.</param>
/// <param name="What">Identifier kind such as <c>EMAIL</c>, <c>PERSON_NAME</c>, <c>DATE_OF_BIRTH</c>; <c>NONE</c> when classified as no personal data; <c>UNKNOWN</c>.</param>
/// <param name="State">raw, masked, hashed, keyed-hash, token, generalised, truncated, redacted, none.</param>
/// <param name="Role">direct, quasi, sensitive, free-text, other, unknown.</param>
/// <param name="Evidence">How it was decided, e.g. <c>check digits 998/1000, 1 % by chance</c>, <c>name</c>, <c>declared</c>; no values.</param>
/// <param name="Matches">Values that matched.</param>
/// <param name="Rows">Values looked at.</param>
public sealed record ColumnFinding(
    string Name,
    string What,
    string State,
    string Role,
    string Evidence,
    long Matches,
    long Rows
);

/// <summary>Anonymity measures over the quasi-identifiers.</summary>
/// <param name="QuasiIdentifiers">Columns grouped by.</param>
/// <param name="SetBy">policy, or the pseudonym of the privacy officer who declared them.</param>
/// <param name="K">Smallest class.</param>
/// <param name="Classes">Number of classes.</param>
/// <param name="Rows">Rows measured.</param>
/// <param name="UniqueRows">Rows alone in their class.</param>
/// <param name="LeastK">The least k that policy or a privacy officer asks.</param>
/// <param name="L">Least distinct l over the sensitive columns, or null when none is declared.</param>
public sealed record AnonymityMeasure(
    IReadOnlyList<string> QuasiIdentifiers,
    string SetBy,
    long K,
    long Classes,
    long Rows,
    long UniqueRows,
    int LeastK,
    int? L
);

/// <summary>A dataset known by content.</summary>
public sealed record DatasetView
{
    /// <summary>SHA-256 of the plain bytes.</summary>
    public required Digest Sha256 { get; init; }

    /// <summary>Name given by the owner.</summary>
    public required string Name { get; init; }

    /// <summary>Actor id.</summary>
    public required string OwnerId { get; init; }

    /// <summary>csv.</summary>
    public required string Format { get; init; }

    /// <summary>Plain bytes.</summary>
    public required long Size { get; init; }

    /// <summary>Rows, null until scanned.</summary>
    public required long? Rows { get; init; }

    /// <summary>PENDING, SCANNED, FAILED (with reason).</summary>
    public required string ScanState { get; init; }

    /// <summary>Outcome of the dataset itself, with reasons; INCOMPLETE until scanned.</summary>
    public required PrivacyVerdict Verdict { get; init; }

    /// <summary>Columns, empty until scanned.</summary>
    public required IReadOnlyList<ColumnFinding> Columns { get; init; }

    /// <summary>Anonymity, null when no quasi-identifier is set.</summary>
    public required AnonymityMeasure? Anonymity { get; init; }

    /// <summary>Legal basis declared by a privacy officer, or null.</summary>
    public required string? LegalBasis { get; init; }

    /// <summary>Purpose declared, or null.</summary>
    public required string? Purpose { get; init; }

    /// <summary>Datasets this one was derived from, by content.</summary>
    public required IReadOnlyList<Digest> DerivedFrom { get; init; }

    /// <summary>UTC.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Whether raw bytes are still kept.</summary>
    public required bool Retained { get; init; }

    /// <summary>For permission checks.</summary>
    public AccessTarget Target => AccessTarget.Dataset(Name, OwnerId);
}

/// <summary>A verdict with everything that led to it.</summary>
/// <param name="Outcome">The answer.</param>
/// <param name="Reasons">One sentence each, naming dataset, column, kind and count; no values.</param>
/// <param name="RulesVersion">Version of detectors and policy.</param>
public sealed record PrivacyVerdict(PrivacyOutcome Outcome, IReadOnlyList<string> Reasons, string RulesVersion);

/// <summary>An input of a version, as the registry knows it.</summary>
/// <param name="Name">MLflow dataset name.</param>
/// <param name="Sha256">Content digest, or null when not bound to a dataset here.</param>
/// <param name="Context">training, eval, … or empty.</param>
public sealed record PrivacyInput(string Name, Digest? Sha256, string Context);

/// <summary>A derivation between datasets: a fact with its grade.</summary>
/// <param name="Id">Transformation id.</param>
/// <param name="Inputs">Contents used.</param>
/// <param name="Output">Content made.</param>
/// <param name="Description">What was done; no personal data.</param>
/// <param name="Columns">Output column → input columns.</param>
/// <param name="Grade">observed, attested or declared.</param>
public sealed record DerivationView(
    Guid Id,
    IReadOnlyList<Digest> Inputs,
    Digest Output,
    string Description,
    IReadOnlyDictionary<string, IReadOnlyList<string>> Columns,
    string Grade
);

/// <summary>A declaration by a privacy officer.</summary>
public sealed record DatasetDeclaration
{
    /// <summary>Columns declared: name → kind (<c>NONE</c> for no personal data).</summary>
    public IReadOnlyDictionary<string, string> Columns { get; init; } = new Dictionary<string, string>();

    /// <summary>Quasi-identifiers, or null to leave.</summary>
    public IReadOnlyList<string>? QuasiIdentifiers { get; init; }

    /// <summary>Sensitive columns for l-diversity, or null to leave.</summary>
    public IReadOnlyList<string>? SensitiveColumns { get; init; }

    /// <summary>Least k, ≥ the policy's, or null to leave.</summary>
    public int? LeastK { get; init; }

    /// <summary>Legal basis, or null to leave.</summary>
    public string? LegalBasis { get; init; }

    /// <summary>Purpose, or null to leave.</summary>
    public string? Purpose { get; init; }
}

/// <summary>How one column is treated by the anonymise step.</summary>
/// <param name="Column">Column name.</param>
/// <param name="Method">keep, drop, mask, generalise, tokenise.</param>
/// <param name="Parameter">generalise: width of numeric bands (<c>10</c>), <c>year</c> for dates, or <c>prefix:3</c> for the first 1–5 characters; mask: characters kept at the end; else empty.</param>
public sealed record ColumnTreatment(string Column, string Method, string Parameter);

/// <summary>Datasets, their findings, verdicts and derivations. Methods that take an actor authorise it; the others do not.</summary>
public interface IDatasets
{
    /// <summary>Version of detectors and policy in force.</summary>
    string RulesVersion { get; }

    /// <summary>The dataset with this content, or null.</summary>
    Task<DatasetView?> FindAsync(Digest sha256, CancellationToken cancellationToken);

    /// <summary>
    /// As <see cref="FindAsync(Digest, CancellationToken)"/>, but the copy that the caller may know of: two owners of the same bytes
    /// have a copy each. Null when there is none, or none visible.
    /// </summary>
    async Task<DatasetView?> FindVisibleAsync(
        Digest sha256,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    ) => await FindAsync(sha256, cancellationToken) is { } view && visible(view.Target) ? view : null;

    /// <summary>What access to each copy of this content is decided on, oldest first; for deciding only, whoever asks may know of none.</summary>
    async Task<IReadOnlyList<AccessTarget>> TargetsAsync(Digest sha256, CancellationToken cancellationToken) =>
        await FindAsync(sha256, cancellationToken) is { } view ? [view.Target] : [];

    /// <summary>Many datasets in one round.</summary>
    Task<IReadOnlyDictionary<Digest, DatasetView>> FindManyAsync(
        IReadOnlyCollection<Digest> sha256,
        CancellationToken cancellationToken
    );

    /// <summary>As <see cref="FindManyAsync"/>, but of each the copy that the caller may know of.</summary>
    async Task<IReadOnlyDictionary<Digest, DatasetView>> FindManyVisibleAsync(
        IReadOnlyCollection<Digest> sha256,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    ) =>
        (await FindManyAsync(sha256, cancellationToken))
            .Where(pair => visible(pair.Value.Target))
            .ToDictionary(pair => pair.Key, pair => pair.Value);

    /// <summary>Datasets by name, keyset-paged, filtered by what the caller may see.</summary>
    Task<Page<DatasetView>> ListAsync(
        Func<AccessTarget, bool> visible,
        int first,
        string? after,
        CancellationToken cancellationToken
    );

    /// <summary>
    /// The verdict for a version with these inputs (invariant 5): no input, or an input unbound or unscanned is INCOMPLETE; any FAIL fails.
    /// </summary>
    Task<PrivacyVerdict> JudgeAsync(IReadOnlyList<PrivacyInput> inputs, CancellationToken cancellationToken);

    /// <summary>Streams a dataset in: hashed, encrypted at rest, scan enqueued. Codes <c>privacy.*</c>.</summary>
    Task<Result<DatasetView>> UploadAsync(
        Actor actor,
        string name,
        string format,
        Stream content,
        CancellationToken cancellationToken
    );

    /// <summary>Records a declaration; needs <c>dataset:declare</c>. Re-evaluates; logged.</summary>
    Task<Result<DatasetView>> DeclareAsync(
        Actor actor,
        Digest sha256,
        DatasetDeclaration declaration,
        CancellationToken cancellationToken
    );

    /// <summary>Runs the anonymise step: the output is a new dataset, re-scanned, linked as an observed derivation.</summary>
    Task<Result<DatasetView>> AnonymiseAsync(
        Actor actor,
        Digest sha256,
        string outputName,
        IReadOnlyList<ColumnTreatment> treatments,
        CancellationToken cancellationToken
    );

    /// <summary>Records that an output was derived from inputs, grade declared; needs write on the output and read on the inputs.</summary>
    Task<Result<DerivationView>> DeriveAsync(
        Actor actor,
        IReadOnlyList<Digest> inputs,
        Digest output,
        string description,
        IReadOnlyDictionary<string, IReadOnlyList<string>> columns,
        CancellationToken cancellationToken
    );

    /// <summary>Derivations that made these outputs, in one round.</summary>
    Task<ILookup<Digest, DerivationView>> DerivationsOfAsync(
        IReadOnlyCollection<Digest> outputs,
        CancellationToken cancellationToken
    );
}

/// <summary>Port: told, inside the transaction, that the verdict of a dataset may have changed. Implemented by Evidence.</summary>
public interface IDatasetWatch
{
    /// <summary>Versions trained on this content need a new privacy evaluation.</summary>
    Task OnChangedAsync(WriteSession session, Digest sha256, CancellationToken cancellationToken);
}
