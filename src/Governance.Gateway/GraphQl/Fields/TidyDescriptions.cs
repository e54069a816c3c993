using GraphQL.Types;
using GraphQL.Utilities;

namespace Governance.Gateway.GraphQl.Fields;

/// <summary>
/// Joins the lines of descriptions: documentation comments are wrapped for the source, not for the reader of the schema.
/// Arguments mean the same wherever their name returns, so they are described here, once.
/// </summary>
internal sealed class TidyDescriptions : BaseSchemaNodeVisitor
{
    private static readonly Dictionary<string, string> Arguments = new(StringComparer.Ordinal)
    {
        ["actor"] = "Only what this pseudonym did.",
        ["after"] = "The nextToken of the page before; left out for the first page.",
        ["archiveExisting"] = "Whether versions that are in that stage now go to ARCHIVED.",
        ["columns"] = "Which columns each column was made of, if known.",
        ["comment"] = "Why, in your words; kept with the decision.",
        ["declaration"] = "What you declare.",
        ["depth"] = "Most edges from the start, 1 to 64.",
        ["description"] = "What was done, in one sentence.",
        ["direction"] = "UP to where it comes from, DOWN to what it touches, or BOTH.",
        ["enabled"] = "Whether it is let in.",
        ["externalId"] = "The issuer's own name of the person; compared by its bytes.",
        ["first"] = "Most items to give back, 1 to 200.",
        ["external"] = "What binds it to an identity provider, for good; left out for a local group.",
        ["fromSize"] = "The smaller tree, from 1.",
        ["grant"] = "What is granted.",
        ["group"] = "Id of a group.",
        ["holder"] = "Only of this subject or group, by its id.",
        ["id"] = "Its id.",
        ["inputs"] = "SHA-256 of each dataset that it was made from.",
        ["issuer"] = "Issuer of the login's tokens, as the settings name it; compared by its bytes.",
        ["kindPrefix"] = "Only entries whose kind begins so, for example promotion.",
        ["login"] = "Id of the login.",
        ["maxNodes"] = "Most nodes to give back, up to 5,000.",
        ["member"] = "Id of a person or service.",
        ["model"] = "Name of a registered model.",
        ["name"] = "Its name.",
        ["nameContains"] = "Only names that contain this.",
        ["object"] = "model:NAME, experiment:NAME or dataset:SHA256; left out for everything.",
        ["of"] = "Id of somebody else, for administrators; left out for yourself.",
        ["outcome"] = "Only entries that ended so: done, refused or begun.",
        ["output"] = "SHA-256 of the dataset that was made.",
        ["outputName"] = "Name of the copy.",
        ["permission"] = "A permission, for example model:read.",
        ["person"] = "Pseudonym of a person.",
        ["reason"] = "Why, for the reviewers; kept with the request.",
        ["regulation"] = "One of the query regulations, for example gdpr.",
        ["sha256"] = "SHA-256 of the dataset's bytes: 64 lower-case hex characters.",
        ["start"] = "Where to begin.",
        ["state"] = "Only requests in this state: open, carried-out, rejected, withdrawn or void.",
        ["subject"] = "Only entries about this URN, for example version:income/2.",
        ["target"] = "Stage or alias to move it to.",
        ["to"] = "Who gets it.",
        ["toSize"] = "The larger tree, at most the size of the newest checkpoint.",
        ["touching"] = "What a move would touch: stage:NAME, alias:NAME, delete-version, delete-model or rename:NAME.",
        ["treatments"] = "What is done to each column; every column must be named.",
        ["version"] = "Version number, from 1.",
    };

    private static readonly Dictionary<string, string> Scalars = new(StringComparer.Ordinal)
    {
        ["DateTimeOffset"] = "A moment in ISO 8601, for example 2026-11-22T20:51:37.181+00:00.",
        ["Long"] = "A whole number of up to 64 bits.",
    };

    public override void VisitScalar(ScalarGraphType type, ISchema schema) =>
        type.Description = Scalars.GetValueOrDefault(type.Name, type.Description ?? "");

    public override void VisitObjectFieldArgumentDefinition(
        QueryArgument argument,
        FieldType field,
        IObjectGraphType type,
        ISchema schema
    ) => argument.Description ??= Arguments.GetValueOrDefault(argument.Name);

    public override void VisitObject(IObjectGraphType type, ISchema schema) =>
        type.Description = Tidy(type.Description);

    public override void VisitInputObject(IInputObjectGraphType type, ISchema schema) =>
        type.Description = Tidy(type.Description);

    public override void VisitEnum(EnumerationGraphType type, ISchema schema) =>
        type.Description = Tidy(type.Description);

    public override void VisitObjectFieldDefinition(FieldType field, IObjectGraphType type, ISchema schema) =>
        field.Description = Tidy(field.Description);

    public override void VisitInputObjectFieldDefinition(FieldType field, IInputObjectGraphType type, ISchema schema) =>
        field.Description = Tidy(field.Description);

    private static string? Tidy(string? text) =>
        text is null ? null : string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
