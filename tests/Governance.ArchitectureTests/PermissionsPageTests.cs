using Governance.Identity.Engine;
using Governance.Kernel;

namespace Governance.ArchitectureTests;

/// <summary>docs/reference/permissions.md says what policies/roles.yaml says.</summary>
public class PermissionsPageTests
{
    private static readonly string[][] Table = ReadTable();

    [Fact]
    public void The_table_names_every_role_once() => Assert.Equal(RoleFile.RoleNames.Order(), Table[0].Skip(1).Order());

    [Fact]
    public void The_table_names_every_grantable_permission_once() =>
        Assert.Equal(
            Permissions.All.Select(permission => permission.Name).Except(["public", "self:read"]).Order(),
            Table.Skip(1).Select(row => row[0]).Order()
        );

    [Fact]
    public void Every_cell_is_what_the_file_grants()
    {
        var roles = RoleFile
            .Parse(File.ReadAllText(Path.Combine(RankTests.Root(), "policies", "roles.yaml")))
            .Value.Roles;
        foreach (var row in Table.Skip(1))
        {
            for (var column = 1; column < row.Length; column++)
            {
                var role = roles[Table[0][column]];
                var granted =
                    role.Everywhere.Contains(row[0]) ? "all"
                    : role.Own.Contains(row[0]) ? "own"
                    : "";
                Assert.True(granted == row[column], $"{Table[0][column]} × {row[0]}: the file says '{granted}'");
            }
        }
    }

    private static string[][] ReadTable() =>
        [
            .. File.ReadLines(Path.Combine(RankTests.Root(), "docs", "reference", "permissions.md"))
                .SkipWhile(line => !line.StartsWith("| permission", StringComparison.Ordinal))
                .TakeWhile(line => line.StartsWith('|'))
                .Where(line => !line.StartsWith("|---", StringComparison.Ordinal))
                .Select(line => line.Split('|')[1..^1].Select(cell => cell.Trim(' ', '`')).ToArray()),
        ];
}
