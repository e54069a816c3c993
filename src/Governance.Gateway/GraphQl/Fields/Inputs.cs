using Governance.Gateway.GraphQl.Guard;
using Governance.Kernel;
using Governance.Registry.Contracts;
using GraphQL;

namespace Governance.Gateway.GraphQl.Fields;

/// <summary>Checks of arguments that the schema cannot express.</summary>
internal static class Arguments
{
    public static int First(int first) => Between(first, 1, DocumentLimits.ListItems, "first");

    public static int Between(int value, int least, int most, string name) =>
        value >= least && value <= most
            ? value
            : throw new FieldFailure(
                Failure.Invalid("graphql.out_of_range", $"{name} is a number from {least} to {most}.")
            );

    public static IReadOnlyList<T> Items<T>(IReadOnlyList<T> items, string name) =>
        items.Count <= DocumentLimits.ListItems
            ? items
            : throw new FieldFailure(
                Failure.Invalid("graphql.too_many_items", $"{name} takes at most {DocumentLimits.ListItems} items.")
            );

    public static Digest Sha256(string text) =>
        Digest.TryParse(text, out var digest)
            ? digest
            : throw new FieldFailure(
                Failure.Invalid("graphql.bad_digest", "A SHA-256 digest is 64 lower-case hex characters.")
            );

    /// <summary>An id of ours; a text that is none is nobody's id.</summary>
    public static Guid Id(string text) => Guid.TryParse(text, out var id) ? id : Guid.Empty;

    /// <summary>A pseudonym: 32 lower-case hex characters. Any other text, which might be a name, is nobody's and goes no further.</summary>
    public static string Pseudonym(string text) => Id(text).ToString("N");

    public static T Value<T>(this Result<T> result) =>
        result.Ok ? result.Value : throw new FieldFailure(result.Failure);
}

/// <summary>One version of a registered model.</summary>
[Name("VersionInput")]
internal sealed class VersionInput
{
    /// <summary>Registered model name.</summary>
    public string Model { get; set; } = "";

    /// <summary>Version number, from 1.</summary>
    public int Version { get; set; }
}

/// <summary>Where a lineage walk starts: exactly one of these.</summary>
[OneOf]
[Name("LineageStart")]
internal sealed class LineageStart
{
    /// <summary>URN of any node, for example from an earlier answer, or stage:NAME/Production.</summary>
    public string? Urn { get; set; }

    /// <summary>A version of a model.</summary>
    public VersionInput? Version { get; set; }

    /// <summary>A dataset, by the SHA-256 of its bytes.</summary>
    public string? Dataset { get; set; }

    /// <summary>A run, by its id.</summary>
    public string? Run { get; set; }
}

/// <summary>Stages of a registered model.</summary>
internal enum Stage
{
    /// <summary>In no stage.</summary>
    None,

    /// <summary>Being tried.</summary>
    Staging,

    /// <summary>In use.</summary>
    Production,

    /// <summary>Retired.</summary>
    Archived,
}

/// <summary>Where a version is to go: exactly one of these.</summary>
[OneOf]
[Name("PromotionTarget")]
internal sealed class PromotionTarget
{
    /// <summary>Into a stage.</summary>
    public Stage? Stage { get; set; }

    /// <summary>Under an alias.</summary>
    public string? Alias { get; set; }

    public Move ToMove(string model, int version, bool archiveExisting) =>
        Stage is { } stage
            ? new Move(new ModelVersionRef(model, version), MoveKind.SetStage, stage.ToString(), archiveExisting)
            : new Move(new ModelVersionRef(model, version), MoveKind.SetAlias, Alias ?? "", ArchiveExisting: false);
}

/// <summary>Which input columns an output column was made of.</summary>
[Name("ColumnSourceInput")]
internal sealed class ColumnSourceInput
{
    /// <summary>Column of the output.</summary>
    public string Column { get; set; } = "";

    /// <summary>Columns of the inputs.</summary>
    public List<string> From { get; set; } = [];
}

/// <summary>What one column holds, as a privacy officer declares it.</summary>
[Name("ColumnDeclarationInput")]
internal sealed class ColumnDeclarationInput
{
    /// <summary>Column name.</summary>
    public string Column { get; set; } = "";

    /// <summary>Kind of personal data such as EMAIL or DATE_OF_BIRTH; NONE for no personal data.</summary>
    public string Kind { get; set; } = "";
}

/// <summary>What a privacy officer declares about a dataset. What is left out stays as it is.</summary>
[Name("DatasetDeclarationInput")]
internal sealed class DatasetDeclarationInput
{
    /// <summary>Columns declared.</summary>
    public List<ColumnDeclarationInput>? Columns { get; set; }

    /// <summary>Columns that together could single out a person.</summary>
    public List<string>? QuasiIdentifiers { get; set; }

    /// <summary>Sensitive columns, for l-diversity.</summary>
    public List<string>? SensitiveColumns { get; set; }

    /// <summary>Least size of a group that looks alike; not below policy.</summary>
    public int? LeastK { get; set; }

    /// <summary>Legal basis of processing.</summary>
    public string? LegalBasis { get; set; }

    /// <summary>Purpose of processing.</summary>
    public string? Purpose { get; set; }
}

/// <summary>How the anonymise step treats a column.</summary>
internal enum Treatment
{
    /// <summary>Left as it is.</summary>
    Keep,

    /// <summary>Left out.</summary>
    Drop,

    /// <summary>Replaced by four marks; the parameter, 0 to 4, says how many characters stay at the end.</summary>
    Mask,

    /// <summary>Made coarser; the parameter is the width of numeric bands, year for dates, or prefix:1 to prefix:5 for codes.</summary>
    Generalise,

    /// <summary>Replaced by a keyed token; equal values get equal tokens.</summary>
    Tokenise,
}

/// <summary>How one column is treated.</summary>
[Name("ColumnTreatmentInput")]
internal sealed class ColumnTreatmentInput
{
    /// <summary>Column name.</summary>
    public string Column { get; set; } = "";

    /// <summary>What is done.</summary>
    public Treatment Method { get; set; }

    /// <summary>Parameter of the method, if it takes one.</summary>
    public string? Parameter { get; set; }
}
