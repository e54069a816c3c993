using Governance.Gateway.GraphQl.Loading;
using Governance.Kernel;
using GraphQL;
using GraphQL.Resolvers;
using GraphQL.Types;
using GraphQL.Utilities;

namespace Governance.Gateway.GraphQl.Guard;

/// <summary>An object that rights are asked on: its fields are served only to a caller who holds their permission on it.</summary>
internal interface IProtected
{
    AccessTarget Target { get; }
}

/// <summary>
/// Runs once when the schema is made. Fails if a field declares no permission, an unknown one, or one that differs from its
/// type's on a field that cannot be null; and puts the object-level check before every resolver.
/// </summary>
internal sealed class PermissionInventory : BaseSchemaNodeVisitor
{
    private static readonly HashSet<string> Known = [.. Permissions.All.Select(permission => permission.Name)];

    public override void VisitObjectFieldDefinition(FieldType field, IObjectGraphType type, ISchema schema)
    {
        if (type.Name.StartsWith("__", StringComparison.Ordinal))
        {
            return;
        }

        var root = type == schema.Query || type == schema.Mutation;
        var own = field.GetMetadata<string?>(NeedsAttribute.Key);
        var inherited = root ? null : type.GetMetadata<string?>(NeedsAttribute.Key);
        var needs = own ?? inherited ?? throw Undeclared(type, field, "declares no permission");
        if (!Known.Contains(needs))
        {
            throw Undeclared(type, field, "declares an unknown permission");
        }

        if (!root && needs != inherited && field.ResolvedType is NonNullGraphType)
        {
            throw Undeclared(type, field, "needs more than its type and so must be able to be null");
        }

        field.WithMetadata(NeedsAttribute.Key, needs);
        field.Resolver = new ObjectCheck(field.Resolver ?? NameFieldResolver.Instance, new Permission(needs));
    }

    private static InvalidOperationException Undeclared(IObjectGraphType type, FieldType field, string what) =>
        new($"The GraphQL field {type.Name}.{field.Name} {what}.");

    /// <summary>Null for an object on which the caller lacks the permission: the same answer as for nothing there.</summary>
    private sealed class ObjectCheck(IFieldResolver inner, Permission permission) : IFieldResolver
    {
        public ValueTask<object?> ResolveAsync(IResolveFieldContext context) =>
            context.Source is not IProtected source
            || Caller.Of(context.RequestServices!).May(permission, source.Target)
                ? inner.ResolveAsync(context)
                : default;
    }
}
