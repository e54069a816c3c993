using System.Text.Json.Serialization;
using Governance.Privacy.Contracts;

namespace Governance.Privacy;

/// <summary>Body of POST …/anonymise.</summary>
internal sealed record AnonymiseBody(string Name, IReadOnlyList<ColumnTreatment> Treatments)
{
    public bool HasNulls => Treatments.Any(treatment => treatment is null);
}

/// <summary>Body of POST …/declarations.</summary>
internal sealed record DeclareBody(
    IReadOnlyDictionary<string, string>? Columns = null,
    IReadOnlyList<string>? QuasiIdentifiers = null,
    IReadOnlyList<string>? SensitiveColumns = null,
    int? LeastK = null,
    string? LegalBasis = null,
    string? Purpose = null
)
{
    // The serializer checks members for null, not the elements of lists.
    public bool HasNulls =>
        (Columns?.Values.Any(kind => kind is null) ?? false)
        || (QuasiIdentifiers?.Any(name => name is null) ?? false)
        || (SensitiveColumns?.Any(name => name is null) ?? false);
}

/// <summary>A column: to a caller without finding:read only its name.</summary>
internal sealed record ColumnDocument(
    string Name,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? What = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? State = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Role = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Evidence = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Matches = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Rows = null
)
{
    public static ColumnDocument Of(ColumnFinding column, bool findings) =>
        findings
            ? new(column.Name, column.What, column.State, column.Role, column.Evidence, column.Matches, column.Rows)
            : new(column.Name);
}

/// <summary>A dataset as the API shows it. Reasons, measures and what columns hold are findings: absent without finding:read.</summary>
internal sealed record DatasetDocument(
    string Sha256,
    string Name,
    string Owner,
    string Format,
    long Size,
    long? Rows,
    string ScanState,
    string Outcome,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Reasons,
    string RulesVersion,
    IReadOnlyList<ColumnDocument> Columns,
    AnonymityMeasure? Anonymity,
    string? LegalBasis,
    string? Purpose,
    IReadOnlyList<string> DerivedFrom,
    DateTimeOffset CreatedAt,
    bool Retained
)
{
    public static DatasetDocument Of(DatasetView view, bool findings) =>
        new(
            view.Sha256.Hex,
            view.Name,
            view.OwnerId,
            view.Format,
            view.Size,
            view.Rows,
            view.ScanState,
            view.Verdict.Outcome.ToString().ToUpperInvariant(),
            findings ? view.Verdict.Reasons : null,
            view.Verdict.RulesVersion,
            [.. view.Columns.Select(column => ColumnDocument.Of(column, findings))],
            findings ? view.Anonymity : null,
            view.LegalBasis,
            view.Purpose,
            [.. view.DerivedFrom.Select(digest => digest.Hex)],
            view.CreatedAt,
            view.Retained
        );
}

/// <summary>Strict JSON of requests, answers and stored lists.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 16
)]
[JsonSerializable(typeof(AnonymiseBody))]
[JsonSerializable(typeof(DeclareBody))]
[JsonSerializable(typeof(DatasetDocument))]
[JsonSerializable(typeof(DatasetDeclaration))]
[JsonSerializable(typeof(ColumnFinding))]
[JsonSerializable(typeof(IReadOnlyList<ColumnTreatment>))]
[JsonSerializable(typeof(IReadOnlyList<string>))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, IReadOnlyList<string>>))]
internal sealed partial class PrivacyJson : JsonSerializerContext;
