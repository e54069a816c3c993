using Governance.Gateway.GraphQl.Guard;
using GraphQL;
using GraphQL.Types;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Gateway.Tests.GraphQl;

public sealed class SchemaTests
{
    private static readonly string[] BuiltIn = ["String", "Boolean", "ID", "Int", "Float"];

    [Fact]
    public async Task The_schema_is_the_committed_one()
    {
        await using var host = await TestHost.StartAsync();

        var printed = host.Services.GetRequiredService<ISchema>().Print();

        GoldenFile.Matches("schema.graphql", printed);
    }

    [Fact]
    public async Task Every_field_argument_and_type_is_described()
    {
        await using var host = await TestHost.StartAsync();

        var schema = host.Services.GetRequiredService<ISchema>();
        var types = schema.AllTypes.Where(type => !type.Name.StartsWith("__") && !BuiltIn.Contains(type.Name)).ToList();
        var fields = types
            .OfType<IComplexGraphType>()
            .SelectMany(type => type.Fields.Select(field => (Path: $"{type.Name}.{field.Name}", Field: field)))
            .ToList();
        var described = types
            .Select(type => (Path: type.Name, type.Description))
            .Concat(fields.Select(field => (field.Path, field.Field.Description)))
            .Concat(
                fields.SelectMany(field =>
                    (field.Field.Arguments ?? []).Select(argument =>
                        (Path: $"{field.Path}({argument.Name})", argument.Description)
                    )
                )
            )
            .Concat(
                types
                    .OfType<EnumerationGraphType>()
                    .SelectMany(type =>
                        type.Values.Select(value => (Path: $"{type.Name}.{value.Name}", value.Description))
                    )
            );

        Assert.Empty(described.Where(item => string.IsNullOrWhiteSpace(item.Description)).Select(item => item.Path));
    }

    [Theory]
    [InlineData(typeof(RootWithoutPermission), "declares no permission")]
    [InlineData(typeof(RootOverUndeclaredType), "declares no permission")]
    [InlineData(typeof(RootWithUnknownPermission), "declares an unknown permission")]
    [InlineData(typeof(RootOverNarrowField), "must be able to be null")]
    public void A_schema_with_a_field_that_is_not_guarded_does_not_start(Type query, string why)
    {
        var services = new ServiceCollection();
        services.AddGraphQL(builder =>
        {
            builder.ConfigureSchema(schema => schema.RegisterVisitor(new PermissionInventory()));
            typeof(GraphQLBuilderExtensions)
                .GetMethods()
                .Single(method => method.Name == "AddAutoSchema" && method.GetParameters().Length == 2)
                .MakeGenericMethod(query)
                .Invoke(null, [builder, null]);
        });
        using var provider = services.BuildServiceProvider();

        var fault = Assert.Throws<InvalidOperationException>(() => provider.GetRequiredService<ISchema>().Initialize());

        Assert.Contains(why, fault.Message);
    }

    private sealed class RootWithoutPermission
    {
        public static string Secret() => "";
    }

    [Needs("self:read")]
    private sealed class RootOverUndeclaredType
    {
        [Needs("self:read")]
        public static Undeclared Thing() => new();
    }

    private sealed class Undeclared
    {
        public string Secret => "";
    }

    private sealed class RootWithUnknownPermission
    {
        [Needs("secret:read")]
        public static string Secret() => "";
    }

    private sealed class RootOverNarrowField
    {
        [Needs("self:read")]
        public static Narrow Thing() => new();
    }

    [Needs("self:read")]
    private sealed class Narrow
    {
        [Needs("audit:read")]
        public string Secret => "";
    }
}
