using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Jobs;
using Governance.Platform.Logging;
using Governance.Privacy.Contracts;
using Governance.Privacy.Engine;
using Governance.Privacy.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Privacy.ScanDataset;

/// <summary>
/// The durable job <c>privacy.scan</c>: reads every row, concludes and measures, and writes it all in one unit. Running it
/// twice changes nothing; a scan that became stale while it ran (new declaration, new derivation) is thrown away.
/// </summary>
internal sealed class ScanJob(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    DatasetVault vault,
    ActivePolicy policies,
    PrivacyOptions options,
    Descendants descendants,
    IEnumerable<IDatasetWatch> watches
) : IJobHandler
{
    public const string JobKind = "privacy.scan";

    public string Kind => JobKind;

    public static JobRequest For(Guid id) => new(JobKind, id.ToString("N"), id.ToString("N"));

    public async Task RunAsync(string payload, CancellationToken cancellationToken)
    {
        var id = Guid.ParseExact(payload, "N");
        var policy = await policies.NowAsync(cancellationToken);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Set<DatasetRow>()
            .AsNoTracking()
            .FirstOrDefaultAsync(item => item.Id == id, cancellationToken);
        if (row is null || (row.ScanState == ScanStates.Scanned && row.RulesVersion == policy.Version))
        {
            return;
        }

        var declared = (await db.DeclaredAsync(id, cancellationToken)) with
        {
            Above = await db.AboveAsync(row.Sha256, [], cancellationToken),
        };
        var provenance = await db.ProvenanceAsync(row.Sha256, cancellationToken);
        var scan = row.WrappedKey is { } key
            ? await Task.Run(
                () =>
                    DatasetScan.Run(
                        () => vault.Open(row.FileId, key),
                        options.Limits,
                        policy,
                        provenance,
                        declared,
                        cancellationToken
                    ),
                cancellationToken
            )
            : await FromFindingsAsync(db, row, policy, provenance, declared, cancellationToken);
        await writer.WriteAsync(
            async (session, token) =>
            {
                await (
                    scan.Ok
                        ? StoreAsync(session, row, scan.Value, policy, token)
                        : FailAsync(session, id, row.Revision, scan.Failure, token)
                );
                return (Result<Unit>)default(Unit);
            },
            cancellationToken
        );
    }

    public async Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken)
    {
        var id = Guid.ParseExact(payload, "N");
        await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await FailAsync(
                    session,
                    id,
                    null,
                    Failure.Conflict("privacy.scan_crashed", $"The scan did not end: {reason}."),
                    token
                );
                return default(Unit);
            },
            cancellationToken
        );
    }

    // The bytes are gone: what the values said is still known, and the measure if the quasi-identifiers are the same.
    private static async Task<Result<DatasetScan>> FromFindingsAsync(
        GovernanceDb db,
        DatasetRow row,
        PrivacyPolicy policy,
        IReadOnlyDictionary<string, Provenance> provenance,
        EffectiveDeclaration declared,
        CancellationToken cancellationToken
    )
    {
        var stored = (await db.ColumnsAsync([row.Id], cancellationToken))[row.Id].ToList();
        if (stored.Count == 0 || row.RulesVersion != policy.Version)
        {
            return Failure.Conflict(
                "privacy.bytes_removed",
                "The bytes were removed, so the dataset can't be scanned again; upload it again."
            );
        }

        var scanned = stored
            .Select(column => JsonSerializer.Deserialize(column.Scanned, PrivacyJson.Default.ColumnFinding)!)
            .ToList();
        var columns = Declarations.Apply(scanned, provenance, declared, policy);
        var measure = await db.Set<MeasureRow>()
            .AsNoTracking()
            .FirstOrDefaultAsync(item => item.DatasetId == row.Id, cancellationToken);
        var set = QuasiSet.Of(columns, declared);
        var kept = measure is null ? null : Measure(measure) with { LeastK = Math.Max(policy.LeastK, declared.AskedK) };
        return new DatasetScan(scanned, columns, row.Rows ?? 0, set, kept);
    }

    public static AnonymityMeasure Measure(MeasureRow row) =>
        new(
            DatasetQueries.List(row.QuasiIdentifiers),
            row.SetBy,
            row.K,
            row.Classes,
            row.Rows,
            row.UniqueRows,
            row.LeastK,
            row.L
        );

    private async Task StoreAsync(
        WriteSession session,
        DatasetRow seen,
        DatasetScan scan,
        PrivacyPolicy policy,
        CancellationToken cancellationToken
    )
    {
        var row = await session.Db.Set<DatasetRow>().FirstAsync(item => item.Id == seen.Id, cancellationToken);
        if (row.Revision != seen.Revision)
        {
            return;
        }

        var verdict = scan.Judge(row.Name, policy);
        row.Revision++;
        row.Rows = scan.Rows;
        row.ScanState = ScanStates.Scanned;
        row.RulesVersion = policy.Version;
        row.Outcome = verdict.Outcome.ToString();
        row.Reasons = DatasetQueries.Json(verdict.Reasons);
        var known = (await session.Db.ColumnsAsync([row.Id], cancellationToken))[row.Id].Select(DatasetQueries.Final);
        var changed = !known.SequenceEqual(scan.Columns);
        await ReplaceFindingsAsync(session, row.Id, scan, cancellationToken);
        if (!policy.Retain && row.WrappedKey is not null)
        {
            row.WrappedKey = null;
            var file = row.FileId;
            session.AfterCommit(() => vault.Delete(file));
        }

        await session.Db.SaveChangesAsync(cancellationToken);
        var urn = Urn.Dataset(Digest.Parse(row.Sha256));
        var entry = await session.LogAsync(
            new LogEntry("privacy.scanned", Actor.System, urn, LogOutcome.Done)
            {
                Details = new JsonObject
                {
                    ["outcome"] = row.Outcome,
                    ["rules"] = policy.Version,
                    ["rows"] = scan.Rows,
                    ["columns"] = scan.Columns.Count,
                    ["k"] = scan.Measure?.K,
                    ["findings"] = new JsonArray([
                        .. scan
                            .Columns.Where(column => column.What != Kinds.None)
                            .Select(column =>
                                (JsonNode)$"{column.Name}: {column.What} {column.State} {column.Matches}"
                            ),
                    ]),
                },
            },
            cancellationToken
        );
        await LinkColumnsAsync(session, urn, row.Name, scan.Columns, entry, cancellationToken);
        if (changed)
        {
            await descendants.ReevaluateAsync(session, row.Sha256, cancellationToken);
        }

        await TellAsync(session, row, cancellationToken);
    }

    private static async Task ReplaceFindingsAsync(
        WriteSession session,
        Guid id,
        DatasetScan scan,
        CancellationToken cancellationToken
    )
    {
        await session.Db.Set<ColumnRow>().Where(row => row.DatasetId == id).ExecuteDeleteAsync(cancellationToken);
        await session.Db.Set<MeasureRow>().Where(row => row.DatasetId == id).ExecuteDeleteAsync(cancellationToken);
        session.Db.AddRange(
            scan.Columns.Select(
                (column, i) =>
                    new ColumnRow
                    {
                        DatasetId = id,
                        Ordinal = i,
                        Name = column.Name,
                        What = column.What,
                        State = column.State,
                        Role = column.Role,
                        Evidence = column.Evidence,
                        Matches = column.Matches,
                        Rows = column.Rows,
                        Scanned = JsonSerializer.Serialize(scan.Scanned[i], PrivacyJson.Default.ColumnFinding),
                    }
            )
        );
        if (scan.Measure is { } measure)
        {
            session.Db.Add(
                new MeasureRow
                {
                    DatasetId = id,
                    QuasiIdentifiers = DatasetQueries.Json(measure.QuasiIdentifiers),
                    SetBy = measure.SetBy,
                    K = measure.K,
                    Classes = measure.Classes,
                    Rows = measure.Rows,
                    UniqueRows = measure.UniqueRows,
                    LeastK = measure.LeastK,
                    L = measure.L,
                }
            );
        }
    }

    private static async Task LinkColumnsAsync(
        WriteSession session,
        string urn,
        string name,
        IReadOnlyList<ColumnFinding> columns,
        Guid entry,
        CancellationToken cancellationToken
    )
    {
        var dataset = new GraphNode(urn, GraphNodeKind.Dataset, name);
        foreach (var column in columns)
        {
            await session.LinkAsync(
                new GraphEdge(
                    new GraphNode(Urn.Column(urn, column.Name), GraphNodeKind.Column, column.Name),
                    dataset,
                    GraphVerb.PartOf,
                    GraphGrade.Observed
                ),
                entry,
                cancellationToken
            );
        }
    }

    private async Task FailAsync(
        WriteSession session,
        Guid id,
        int? revision,
        Failure failure,
        CancellationToken cancellationToken
    )
    {
        var row = await session.Db.Set<DatasetRow>().FirstOrDefaultAsync(item => item.Id == id, cancellationToken);
        if (row is null || (revision is not null && row.Revision != revision))
        {
            return;
        }

        row.Revision++;
        row.ScanState = ScanStates.Failed;
        row.Outcome = nameof(PrivacyOutcome.Incomplete);
        row.Reasons = DatasetQueries.Json([
            $"Dataset '{row.Name}' could not be scanned ({failure.Code}): {failure.Message}",
        ]);
        await session.Db.SaveChangesAsync(cancellationToken);
        await session.LogAsync(
            new LogEntry("privacy.scan_failed", Actor.System, Urn.Dataset(Digest.Parse(row.Sha256)), LogOutcome.Done)
            {
                Details = new JsonObject { ["code"] = failure.Code },
            },
            cancellationToken
        );
        await TellAsync(session, row, cancellationToken);
    }

    private async Task TellAsync(WriteSession session, DatasetRow row, CancellationToken cancellationToken)
    {
        foreach (var watch in watches)
        {
            await watch.OnChangedAsync(session, Digest.Parse(row.Sha256), cancellationToken);
        }
    }
}
