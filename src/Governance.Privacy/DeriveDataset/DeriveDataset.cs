using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Privacy.Contracts;
using Governance.Privacy.Engine;
using Governance.Privacy.ScanDataset;
using Governance.Privacy.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Privacy.DeriveDataset;

/// <summary>Records that an output was made of inputs, on somebody's word: grade declared.</summary>
internal sealed class DeriveHandler(
    DatasetAccess access,
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    Descendants descendants
)
{
    private const int MaxInputs = 100;
    private const int MaxColumns = 1000;
    private const int MaxDescription = 500;
    private const int MaxAncestors = 10_000;

    public async Task<Result<DerivationView>> HandleAsync(
        Actor actor,
        IReadOnlyList<Digest> inputs,
        Digest output,
        string description,
        IReadOnlyDictionary<string, IReadOnlyList<string>> columns,
        CancellationToken cancellationToken
    )
    {
        if (Check(inputs, output, description, columns) is { } refused)
        {
            return refused;
        }

        var target = await access.FindAsync(actor, output, Permissions.DatasetWrite, "derive", cancellationToken);
        if (!target.Ok)
        {
            return target.Failure;
        }

        var sources = new List<DatasetRow>();
        foreach (var input in inputs)
        {
            var source = await access.FindAsync(actor, input, Permissions.DatasetRead, "derive", cancellationToken);
            if (!source.Ok)
            {
                return source.Failure;
            }

            sources.Add(source.Value);
        }

        if (await CheckColumnsAsync(sources, target.Value, columns, cancellationToken) is { } unknown)
        {
            return unknown;
        }

        return await writer.WriteAsync<DerivationView>(
            async (session, token) =>
                // Inside the unit, so that two derivations can't close a circle between them.
                await IsAncestorAsync(session.Db, output, inputs, token)
                    ? Failure.Conflict("privacy.circular", "The output is already behind one of the inputs.")
                    : await StoreAsync(session, actor, sources, target.Value, description, columns, token),
            cancellationToken
        );
    }

    private async Task<DerivationView> StoreAsync(
        WriteSession session,
        Actor actor,
        IReadOnlyList<DatasetRow> sources,
        DatasetRow target,
        string description,
        IReadOnlyDictionary<string, IReadOnlyList<string>> columns,
        CancellationToken cancellationToken
    )
    {
        var row = new DerivationRow
        {
            Id = Guid.CreateVersion7(session.Now),
            Output = target.Sha256,
            Inputs = DatasetQueries.Json([.. sources.Select(source => source.Sha256)]),
            Description = description,
            Columns = JsonSerializer.Serialize(
                columns,
                PrivacyJson.Default.IReadOnlyDictionaryStringIReadOnlyListString
            ),
            Grade = "declared",
            ActorId = actor.Id,
        };
        session.Db.Add(row);
        var tracked = await session.Db.Set<DatasetRow>().FirstAsync(item => item.Id == target.Id, cancellationToken);
        tracked.Revision++;
        tracked.ScanState = ScanStates.Pending;
        await session.Db.SaveChangesAsync(cancellationToken);
        var entry = await session.LogAsync(
            new LogEntry(
                "privacy.derivation_recorded",
                actor,
                Urn.Dataset(Digest.Parse(target.Sha256)),
                LogOutcome.Done
            )
            {
                Details = new JsonObject
                {
                    ["transformation"] = row.Id.ToString("N"),
                    ["inputs"] = new JsonArray([.. sources.Select(source => (JsonNode)source.Sha256)]),
                    ["grade"] = row.Grade,
                },
            },
            cancellationToken
        );
        await DerivationGraph.LinkAsync(session, row, sources, target, GraphGrade.Declared, entry, cancellationToken);
        await session.EnqueueAsync(ScanJob.For(target.Id), cancellationToken);
        await descendants.ReevaluateAsync(session, target.Sha256, cancellationToken);
        return DatasetQueries.View(row);
    }

    private static Failure? Check(
        IReadOnlyList<Digest> inputs,
        Digest output,
        string description,
        IReadOnlyDictionary<string, IReadOnlyList<string>> columns
    ) =>
        inputs.Count is 0 or > MaxInputs
        || inputs.Distinct().Count() != inputs.Count
        || inputs.Contains(output)
        || columns.Count > MaxColumns
        || columns.Values.Any(names => names.Count > MaxColumns)
            ? Failure.Invalid("privacy.bad_derivation", "A derivation has 1 to 100 inputs that differ from its output.")
        : description.Length is 0 or > MaxDescription
        || description.Any(char.IsControl)
        || TextDetector.Find(description).Count > 0
            ? Failure.Invalid(
                "privacy.bad_description",
                "A description has 1 to 500 characters and no identifiers of persons."
            )
        : null;

    private async Task<Failure?> CheckColumnsAsync(
        IReadOnlyList<DatasetRow> sources,
        DatasetRow target,
        IReadOnlyDictionary<string, IReadOnlyList<string>> columns,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var known = await db.ColumnsAsync([target.Id, .. sources.Select(row => row.Id)], cancellationToken);
        var outputs = known[target.Id].Select(row => row.Name).ToHashSet(StringComparer.Ordinal);
        var inputs = sources
            .SelectMany(source => known[source.Id])
            .Select(row => row.Name)
            .ToHashSet(StringComparer.Ordinal);
        // Columns of a dataset that is not scanned yet are not known; naming them must wait.
        return columns.Keys.All(outputs.Contains) && columns.Values.SelectMany(names => names).All(inputs.Contains)
            ? null
            : Failure.Invalid("privacy.unknown_column", "The derivation names a column that is not known.");
    }

    private static async Task<bool> IsAncestorAsync(
        GovernanceDb db,
        Digest output,
        IReadOnlyList<Digest> inputs,
        CancellationToken cancellationToken
    )
    {
        var seen = inputs.Select(input => input.Hex).ToHashSet(StringComparer.Ordinal);
        var next = seen.ToList();
        while (next.Count > 0 && seen.Count < MaxAncestors)
        {
            var above = await db.DerivationsAsync(next, cancellationToken);
            next =
            [
                .. above.SelectMany(group => group).SelectMany(row => DatasetQueries.List(row.Inputs)).Where(seen.Add),
            ];
        }

        return seen.Contains(output.Hex) || seen.Count >= MaxAncestors;
    }
}

/// <summary>The graph of a derivation: inputs → transformation → output, and its columns.</summary>
internal static class DerivationGraph
{
    public static async Task LinkAsync(
        WriteSession session,
        DerivationRow derivation,
        IReadOnlyList<DatasetRow> inputs,
        DatasetRow output,
        GraphGrade grade,
        Guid entry,
        CancellationToken cancellationToken
    )
    {
        var step = new GraphNode(
            Urn.Transformation(derivation.Id),
            GraphNodeKind.Transformation,
            derivation.Description
        );
        foreach (var input in inputs)
        {
            await LinkOneAsync(new GraphEdge(Node(input), step, GraphVerb.Used, grade));
        }

        await LinkOneAsync(new GraphEdge(step, Node(output), GraphVerb.Generated, grade));
        var known = await session.Db.ColumnsAsync([.. inputs.Select(row => row.Id)], cancellationToken);
        foreach (var (column, sources) in DatasetQueries.Columns(derivation))
        {
            foreach (var input in inputs)
            {
                foreach (var source in known[input.Id].Where(row => sources.Contains(row.Name, StringComparer.Ordinal)))
                {
                    await LinkOneAsync(
                        new GraphEdge(Column(input, source.Name), Column(output, column), GraphVerb.Derived, grade)
                    );
                }
            }
        }

        Task LinkOneAsync(GraphEdge edge) => session.LinkAsync(edge, entry, cancellationToken);
    }

    private static GraphNode Node(DatasetRow row) =>
        new(Urn.Dataset(Digest.Parse(row.Sha256)), GraphNodeKind.Dataset, row.Name);

    private static GraphNode Column(DatasetRow row, string name) =>
        new(Urn.Column(Urn.Dataset(Digest.Parse(row.Sha256)), name), GraphNodeKind.Column, name);
}
