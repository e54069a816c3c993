using System.Text.RegularExpressions;
using System.Xml.Linq;
using Governance.Identity.Engine;
using Governance.Kernel;

namespace Governance.ArchitectureTests;

/// <summary>
/// The tables of docs/reference/permissions.md are made of policies/roles.yaml and the catalogue; rewritten only with
/// <c>UPDATE_GOLDEN=1</c>, never on CI. The text around them is written by hand.
/// </summary>
public sealed partial class PermissionsPageTests
{
    private static readonly string[] Roles =
    [
        "viewer",
        "data-scientist",
        "reviewer",
        "release-manager",
        "privacy-officer",
        "auditor",
        "admin",
    ];

    [Fact]
    public void The_page_has_a_column_of_every_role() => Assert.Equal(RoleFile.RoleNames.Order(), Roles.Order());

    [Fact]
    public void The_tables_are_what_the_file_and_the_catalogue_say()
    {
        var page = Path.Combine(RankTests.Root(), "docs", "reference", "permissions.md");
        var written = File.ReadAllText(page);

        var tables = new Queue<string>([Grants(), Meanings()]);
        var made = Table().Replace(written, _ => tables.Dequeue());

        if (
            Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1"
            && Environment.GetEnvironmentVariable("CI") is null
        )
        {
            File.WriteAllText(page, made);
            written = made;
        }

        Assert.Empty(tables);
        Assert.Equal(made, written, ignoreLineEndingDifferences: true);
    }

    private static string Grants()
    {
        var file = File.ReadAllText(Path.Combine(RankTests.Root(), "policies", "roles.yaml"));
        var policy = RoleFile.Parse(file).Value;
        return Rows(
            ["permission", .. Roles],
            Permissions
                .All.Where(permission => permission != Permissions.Public && permission != Permissions.Self)
                .Select(permission =>
                    (string[])
                        [
                            $"`{permission}`",
                            .. Roles.Select(role =>
                                policy.Roles[role].Everywhere.Contains(permission.Name) ? "all"
                                : policy.Roles[role].Own.Contains(permission.Name) ? "own"
                                : ""
                            ),
                        ]
                )
        );
    }

    private static string Meanings()
    {
        var prefix = $"F:{typeof(Permissions).FullName}.";
        var documented = XDocument
            .Load(Path.Combine(AppContext.BaseDirectory, "Governance.Kernel.xml"))
            .Descendants("member")
            .Where(member => member.Attribute("name")!.Value.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(
                member => member.Attribute("name")!.Value[prefix.Length..],
                member => Blanks().Replace(member.Element("summary")!.Value, " ").Trim().TrimEnd('.'),
                StringComparer.Ordinal
            );
        var meanings = typeof(Permissions)
            .GetFields()
            .Where(field => field.FieldType == typeof(Permission))
            .ToDictionary(field => (Permission)field.GetValue(null)!, field => documented[field.Name]);
        return Rows(
            ["permission", "is asked for"],
            Permissions.All.Select(permission =>
                (string[])
                    [$"`{permission}`", char.ToLowerInvariant(meanings[permission][0]) + meanings[permission][1..]]
            )
        );
    }

    private static string Rows(IReadOnlyList<string> heads, IEnumerable<IReadOnlyList<string>> rows) =>
        string.Concat(
            rows.Select(Row).Prepend("|" + string.Concat(heads.Select(_ => "---|")) + "\n").Prepend(Row(heads))
        );

    private static string Row(IReadOnlyList<string> cells) =>
        "|" + string.Concat(cells.Select(cell => cell.Length == 0 ? " |" : $" {cell} |")) + "\n";

    [GeneratedRegex(@"(^\|.*\n)+", RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Table();

    [GeneratedRegex(@"\s+", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Blanks();
}
