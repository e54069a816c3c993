using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Privacy.Contracts;
using Governance.Privacy.Engine;
using Governance.Privacy.ScanDataset;
using Governance.Privacy.Storage;
using Governance.Privacy.UploadDataset;
using Microsoft.EntityFrameworkCore;

namespace Governance.Privacy.DeclareDataset;

/// <summary>Records what a privacy officer says about a dataset and evaluates it anew.</summary>
internal sealed class DeclareHandler(
    DatasetAccess access,
    ILoginOwners owners,
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    ActivePolicy policies,
    Descendants descendants,
    ScanJob scan
)
{
    public async Task<Result<Guid>> HandleAsync(
        Actor actor,
        Digest sha256,
        DatasetDeclaration declaration,
        CancellationToken cancellationToken
    )
    {
        var found = await access.FindAsync(actor, sha256, Permissions.DatasetDeclare, "declare", cancellationToken);
        if (!found.Ok)
        {
            return found.Failure;
        }

        if ((await owners.WithOwnersAsync([found.Value.OwnerId], cancellationToken)).Contains(actor.Id))
        {
            // What a table holds is never said by the one whose models need the answer.
            await Refusals.DenyAsync(writer, actor, "declare", Urn.Dataset(sha256), cancellationToken);
            return Failure.Denied("privacy.own_dataset", "Another privacy officer must declare a dataset of your own.");
        }

        var id = found.Value.Id;
        var policy = await policies.NowAsync(cancellationToken);
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            var columns = (await db.ColumnsAsync([id], cancellationToken))[id].Select(DatasetQueries.Final).ToList();
            if (columns.Count == 0)
            {
                return Failure.Conflict("privacy.not_scanned", "The dataset has not been scanned yet.");
            }

            if (Declarations.Check(declaration, columns, policy) is { } refused)
            {
                return refused;
            }
        }

        var written = await writer.WriteAsync<Guid>(
            async (session, token) =>
            {
                await StoreAsync(session, actor, id, declaration, token);
                return id;
            },
            cancellationToken
        );
        if (written.Ok)
        {
            await scan.RunAsync(id.ToString("N"), cancellationToken);
        }

        return written;
    }

    private async Task StoreAsync(
        WriteSession session,
        Actor actor,
        Guid id,
        DatasetDeclaration declaration,
        CancellationToken cancellationToken
    )
    {
        var row = await session.Db.Set<DatasetRow>().FirstAsync(item => item.Id == id, cancellationToken);
        row.Revision++;
        row.ScanState = ScanStates.Pending;
        row.LegalBasis = declaration.LegalBasis ?? row.LegalBasis;
        row.Purpose = declaration.Purpose ?? row.Purpose;
        session.Db.Add(
            new DeclarationRow
            {
                Id = Guid.CreateVersion7(session.Now),
                DatasetId = id,
                OfficerId = actor.Id,
                Declaration = JsonSerializer.Serialize(declaration, PrivacyJson.Default.DatasetDeclaration),
            }
        );
        await session.Db.SaveChangesAsync(cancellationToken);
        await session.LogAsync(
            new LogEntry("privacy.declared", actor, Urn.Dataset(Digest.Parse(row.Sha256)), LogOutcome.Done)
            {
                Details = new JsonObject
                {
                    ["columns"] = new JsonArray([
                        .. declaration.Columns.Select(pair => (JsonNode)$"{pair.Key}: {pair.Value}"),
                    ]),
                    ["quasiIdentifiers"] = declaration.QuasiIdentifiers is { } quasi
                        ? new JsonArray([.. quasi.Select(name => (JsonNode)name)])
                        : null,
                    ["sensitiveColumns"] = declaration.SensitiveColumns is { } sensitive
                        ? new JsonArray([.. sensitive.Select(name => (JsonNode)name)])
                        : null,
                    ["leastK"] = declaration.LeastK,
                    ["legalBasis"] = declaration.LegalBasis is not null,
                    ["purpose"] = declaration.Purpose is not null,
                },
            },
            cancellationToken
        );
        await session.EnqueueAsync(ScanJob.For(id), cancellationToken);
        await descendants.ReevaluateAsync(session, row.Sha256, cancellationToken);
    }
}
