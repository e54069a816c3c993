using GraphQL;
using GraphQL.Types;

namespace Governance.Gateway.GraphQl.Guard;

/// <summary>
/// The permission that a field needs. On a type it is the default of its fields; root fields declare their own. A schema with
/// an undeclared field does not start.
/// </summary>
/// <param name="permission">A name of <see cref="Kernel.Permissions.All"/>.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method | AttributeTargets.Property)]
internal sealed class NeedsAttribute(string permission) : GraphQLAttribute
{
    public const string Key = "governance.needs";

    public string Permission => permission;

    public override void Modify(FieldType fieldType, bool isInputType) => fieldType.WithMetadata(Key, permission);

    public override void Modify(IGraphType graphType) => graphType.WithMetadata(Key, permission);
}

/// <summary>What resolving a field costs: <see cref="Own"/> once, its children times the length of its list.</summary>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Property)]
internal sealed class CostAttribute : GraphQLAttribute
{
    public const string Key = "governance.cost";

    /// <summary>Cost of the field itself. A field that asks the database by itself, without a batch, costs 50.</summary>
    public int Own { get; set; } = 1;

    /// <summary>Expected length of the list; 10 unless declared. A list whose length its parent's argument bounds has 1.</summary>
    public int Length { get; set; } = 10;

    /// <summary>Argument that bounds the length.</summary>
    public string LengthArgument { get; set; } = "first";

    /// <summary>How many items of <see cref="LengthArgument"/> count as one.</summary>
    public int ItemsPerUnit { get; set; } = 1;

    public override void Modify(FieldType fieldType, bool isInputType) => fieldType.WithMetadata(Key, this);
}
