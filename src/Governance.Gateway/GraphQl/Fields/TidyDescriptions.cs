using GraphQL.Types;
using GraphQL.Utilities;

namespace Governance.Gateway.GraphQl.Fields;

/// <summary>Joins the lines of descriptions: documentation comments are wrapped for the source, not for the reader of the schema.</summary>
internal sealed class TidyDescriptions : BaseSchemaNodeVisitor
{
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
