using System.Reflection;

namespace Governance.ArchitectureTests;

/// <summary>What a module shows others: its Contracts, its module class and its options; engines see no host.</summary>
public class SurfaceTests
{
    private static readonly string[] Modules =
    [
        "Audit",
        "Identity",
        "Registry",
        "Signing",
        "Sbom",
        "Scanning",
        "Lineage",
        "Privacy",
        "Policy",
        "Evidence",
        "Promotion",
        "Compliance",
    ];

    public static TheoryData<string> Names => [.. Modules];

    [Theory]
    [MemberData(nameof(Names))]
    public void Public_types_live_in_contracts_or_are_the_module_itself(string module)
    {
        var stray = Load(module)
            .GetExportedTypes()
            .Where(type => !type.IsNested)
            .Where(type => type.Namespace != $"Governance.{module}.Contracts")
            .Where(type =>
                type.Name != $"{module}Module"
                && type.Name != $"{module}Options"
                && type.Name != $"{module}OptionsValidator"
                && !Allowed.Contains(type.FullName!)
            )
            .Select(type => type.FullName);

        Assert.Empty(stray);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Engines_see_no_database_web_clock_or_randomness(string module)
    {
        string[] forbidden =
        [
            "Microsoft.EntityFrameworkCore",
            "Microsoft.AspNetCore",
            "System.Net.Http",
            "Microsoft.Extensions.Logging",
            "Microsoft.Extensions.Configuration",
        ];
        var bad =
            from type in Load(module).GetTypes()
            where type.Namespace?.StartsWith($"Governance.{module}.Engine", StringComparison.Ordinal) == true
            from used in Used(type)
            where
                forbidden.Any(prefix => used.Namespace?.StartsWith(prefix, StringComparison.Ordinal) == true)
                || used == typeof(TimeProvider)
            select $"{type.FullName} uses {used.FullName}";

        Assert.Empty(bad.Distinct());
    }

    // Seams that hosts and demos need by name, each for a reason given where it is declared.
    private static readonly HashSet<string> Allowed =
    [
        "Governance.Policy.PolicySeed",
        "Governance.Policy.Engine.PolicySyntaxException",
        "Governance.Privacy.Demo.InventedPersons",
        "Governance.Privacy.PrivacyTools",
        "Governance.Privacy.TableReport",
    ];

    private static Assembly Load(string module) => Assembly.Load($"Governance.{module}");

    private static IEnumerable<Type> Used(Type type)
    {
        const BindingFlags all =
            BindingFlags.Public
            | BindingFlags.NonPublic
            | BindingFlags.Static
            | BindingFlags.Instance
            | BindingFlags.DeclaredOnly;
        return type.GetFields(all)
            .Select(field => field.FieldType)
            .Concat(
                type.GetMethods(all)
                    .SelectMany(method =>
                        method.GetParameters().Select(parameter => parameter.ParameterType).Append(method.ReturnType)
                    )
            )
            .Concat(
                type.GetConstructors(all)
                    .SelectMany(constructor => constructor.GetParameters().Select(parameter => parameter.ParameterType))
            );
    }
}
