using System.Globalization;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Benchmarks;

/// <summary>
/// Multiplies one version that was made over the API: every row that its model, name, version, alias, run, files and lineage
/// have is copied with all its columns, but for what identifies it. Log entries, evidence and jobs are not.
/// </summary>
internal static class Seeding
{
    private const int Batch = 2000;

    /// <summary>Name of a seeded model.</summary>
    public static string Name(int number) => string.Create(CultureInfo.InvariantCulture, $"seeded-{number:D7}");

    /// <summary>What identifies a row, per table; <c>m</c> is the number of the model, <c>v</c> of its version.</summary>
    private static readonly (
        string Table,
        string Where,
        bool PerVersion,
        Dictionary<string, string> Columns
    )[] Tables =
    [
        ("registry_models", "t.Name = $name", false, new() { ["Id"] = Model, ["Name"] = Named }),
        (
            "registry_model_names",
            "t.Name = $name",
            false,
            new()
            {
                ["Name"] = Named,
                ["FoldedName"] = $"upper({Named})",
                ["ModelId"] = Model,
                ["NextVersion"] = "$versions + 1",
            }
        ),
        (
            "registry_versions",
            "t.ModelId = (SELECT Id FROM registry_models WHERE Name = $name) AND t.Number = 1",
            true,
            new()
            {
                ["ModelId"] = Model,
                ["Number"] = "v.n",
                ["RunId"] = Run,
                ["Container"] = Container,
                ["ObjectId"] = "lower(replace(" + Model + ", '-', '')) || '/' || v.n",
                ["UpdatedMs"] = "t.UpdatedMs - (m.n * 10 + v.n) % 100000000",
            }
        ),
        (
            "registry_aliases",
            "t.ModelId = (SELECT Id FROM registry_models WHERE Name = $name)",
            false,
            new() { ["ModelId"] = Model }
        ),
        ("registry_runs", "t.RunId = $run", true, new() { ["RunId"] = Run }),
        ("registry_artifacts", "t.Container = $container", true, new() { ["Container"] = Container }),
        (
            "lineage_node",
            "t.Urn = 'model:' || $name",
            false,
            new() { ["Id"] = "NULL", ["Urn"] = "'model:' || " + Named }
        ),
        ("lineage_node", "t.Urn = 'run:' || $run", true, new() { ["Id"] = "NULL", ["Urn"] = "'run:' || " + Run }),
        ("lineage_node", "t.Urn = 'version:' || $name || '/1'", true, new() { ["Id"] = "NULL", ["Urn"] = VersionUrn }),
        (
            "lineage_edge",
            "t.FromId = (SELECT Id FROM lineage_node WHERE Urn = 'version:' || $name || '/1') "
                + "AND t.ToId = (SELECT Id FROM lineage_node WHERE Urn = 'model:' || $name)",
            true,
            new()
            {
                ["Id"] = "NULL",
                ["FromId"] = Node(VersionUrn),
                ["ToId"] = Node("'model:' || " + Named),
            }
        ),
        (
            "lineage_edge",
            "t.FromId = (SELECT Id FROM lineage_node WHERE Urn = 'run:' || $run)",
            true,
            new()
            {
                ["Id"] = "NULL",
                ["FromId"] = Node("'run:' || " + Run),
                ["ToId"] = Node(VersionUrn),
            }
        ),
    ];

    private const string Named = "printf('seeded-%07d', m.n)";
    private const string Model = "printf('5EEDED00-0000-4000-8000-%012X', m.n)";
    private const string Run = "printf('5eeded%026x', m.n * 1000 + v.n)";
    private const string Container = "replace($container, $run, " + Run + ")";
    private const string VersionUrn = "'version:' || " + Named + " || '/' || v.n";

    public static async Task RunAsync(IServiceProvider services, string template, int models, int versions)
    {
        var writer = services.GetRequiredService<IWriter>();
        for (var first = 0; first < models; first += Batch)
        {
            var last = Math.Min(first + Batch, models) - 1;
            var written = await writer.WriteAsync<Kernel.Unit>(
                async (session, token) =>
                {
                    await CopyAsync(session.Db, template, first, last, versions, token);
                    return default(Kernel.Unit);
                },
                CancellationToken.None
            );
            if (!written.Ok)
            {
                throw new InvalidOperationException(written.Failure.Code);
            }
        }
    }

    private static async Task CopyAsync(
        GovernanceDb db,
        string template,
        int first,
        int last,
        int versions,
        CancellationToken cancellationToken
    )
    {
        var connection = db.Database.GetDbConnection();
        var origin = await db.ReadAsync(
            """
            SELECT RunId, Container FROM registry_versions
            WHERE ModelId = (SELECT Id FROM registry_models WHERE Name = @0) AND Number = 1
            """,
            [template],
            row => (Run: row.GetString(0), Container: row.GetString(1)),
            cancellationToken
        );
        foreach (var (table, where, perVersion, changed) in Tables)
        {
            var columns = await db.ReadAsync(
                "SELECT name FROM pragma_table_info(@0)",
                [table],
                row => row.GetString(0),
                cancellationToken
            );
            await using var command = connection.CreateCommand();
            command.Transaction = db.Database.CurrentTransaction!.GetDbTransaction();
            command.CommandText = $"""
                WITH RECURSIVE m(n) AS (SELECT $first UNION ALL SELECT n + 1 FROM m WHERE n < $last),
                v(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM v WHERE n < {(perVersion ? "$versions" : "1")})
                INSERT INTO {table} ({string.Join(", ", columns.Select(column => $"\"{column}\""))})
                SELECT {string.Join(
                    ", ",
                    columns.Select(column => changed.GetValueOrDefault(column, $"t.\"{column}\""))
                )}
                FROM {table} t, m, v WHERE {where}
                """;
            foreach (
                var (name, value) in new (string, object)[]
                {
                    ("$first", first),
                    ("$last", last),
                    ("$versions", versions),
                    ("$name", template),
                    ("$run", origin.Single().Run),
                    ("$container", origin.Single().Container),
                }
            )
            {
                var parameter = command.CreateParameter();
                (parameter.ParameterName, parameter.Value) = (name, value);
                command.Parameters.Add(parameter);
            }

            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private static string Node(string urn) => $"(SELECT Id FROM lineage_node WHERE Urn = {urn})";
}
