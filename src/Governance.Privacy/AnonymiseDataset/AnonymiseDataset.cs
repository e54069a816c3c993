using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Governance.Privacy.Contracts;
using Governance.Privacy.DeriveDataset;
using Governance.Privacy.Engine;
using Governance.Privacy.ScanDataset;
using Governance.Privacy.Storage;
using Governance.Privacy.UploadDataset;
using Microsoft.EntityFrameworkCore;

namespace Governance.Privacy.AnonymiseDataset;

/// <summary>The anonymise step: treats every column, stores the output as a dataset of its own, links it as observed, scans it.</summary>
internal sealed class AnonymiseHandler(
    IAccess access,
    DatasetAccess datasets,
    AnonymiseTools tools,
    UploadHandler upload,
    ScanJob scan
)
{
    public async Task<Result<Guid>> HandleAsync(
        Actor actor,
        Digest sha256,
        string outputName,
        IReadOnlyList<ColumnTreatment> treatments,
        CancellationToken cancellationToken
    )
    {
        var input = await datasets.FindAsync(actor, sha256, Permissions.DatasetReadRaw, "anonymise", cancellationToken);
        if (!input.Ok)
        {
            return input.Failure;
        }

        if (UploadHandler.CheckName(outputName) is { } badName)
        {
            return badName;
        }

        var rights = await access.RightsOfAsync(actor, cancellationToken);
        if (!rights.Allows(Permissions.DatasetWrite, AccessTarget.Dataset(outputName, actor.Id)))
        {
            return await Refusals.DenyAsync(tools.Writer, actor, "anonymise", Urn.Dataset(sha256), cancellationToken);
        }

        if (input.Value.WrappedKey is not { } inputKey)
        {
            return Failure.Conflict(
                "privacy.bytes_removed",
                "The bytes were removed after the scan; upload them again."
            );
        }

        if (await tools.CheckAsync(sha256, treatments, cancellationToken) is { } refused)
        {
            return refused;
        }

        var id = Guid.CreateVersion7(tools.Clock.GetUtcNow());
        var derivation = Guid.CreateVersion7(tools.Clock.GetUtcNow());
        var tokenKey = RandomNumberGenerator.GetBytes(32);
        await using var file = tools.Vault.Create(id);
        var treated = await Task.Run(
            () => tools.Treat(input.Value.FileId, inputKey, treatments, tokenKey, file, cancellationToken),
            cancellationToken
        );
        if (!treated.Ok)
        {
            return treated.Failure;
        }

        var wrappedKey = tools.Vault.Wrap(id, file.Key);
        var output = file.Complete();
        if (output == sha256)
        {
            tools.Vault.Delete(id);
            return Failure.Invalid("privacy.nothing_changed", "The treatments change nothing.");
        }

        var wrappedTokenKey = treatments.Any(treatment => treatment.Method == "tokenise")
            ? tools.Keys.Wrap(tokenKey, $"privacy.tokens:{derivation:N}")
            : null;
        CryptographicOperations.ZeroMemory(tokenKey);
        var stored = await upload.StoreAsync(
            actor,
            new DatasetRow
            {
                Id = id,
                FileId = id,
                Sha256 = output.Hex,
                OwnerId = actor.Id,
                Name = outputName,
                Format = "csv",
                Size = file.Size,
                WrappedKey = wrappedKey,
            },
            (session, row, token) =>
                LinkAsync(
                    session,
                    actor,
                    input.Value,
                    row,
                    Row(derivation, sha256, output, actor, treatments, wrappedTokenKey),
                    token
                ),
            cancellationToken
        );
        if (stored.Ok)
        {
            // At once for the caller; the job of the same key finds nothing left to do.
            await scan.RunAsync(stored.Value.ToString("N"), cancellationToken);
        }

        return stored;
    }

    private static DerivationRow Row(
        Guid id,
        Digest input,
        Digest output,
        Actor actor,
        IReadOnlyList<ColumnTreatment> treatments,
        byte[]? wrappedTokenKey
    ) =>
        new()
        {
            Id = id,
            Output = output.Hex,
            Inputs = DatasetQueries.Json([input.Hex]),
            Description =
                "anonymise: "
                + string.Join(
                    ", ",
                    treatments.GroupBy(item => item.Method).Select(group => $"{group.Key} {group.Count()}")
                ),
            Columns = JsonSerializer.Serialize(
                treatments
                    .Where(item => item.Method != "drop")
                    .ToDictionary(
                        item => item.Column,
                        item => (IReadOnlyList<string>)[item.Column],
                        StringComparer.Ordinal
                    ),
                PrivacyJson.Default.IReadOnlyDictionaryStringIReadOnlyListString
            ),
            Grade = "observed",
            ActorId = actor.Id,
            Treatments = JsonSerializer.Serialize(treatments, PrivacyJson.Default.IReadOnlyListColumnTreatment),
            WrappedTokenKey = wrappedTokenKey,
        };

    private static async Task LinkAsync(
        WriteSession session,
        Actor actor,
        DatasetRow input,
        DatasetRow output,
        DerivationRow derivation,
        CancellationToken cancellationToken
    )
    {
        session.Db.Add(derivation);
        await session.Db.SaveChangesAsync(cancellationToken);
        var entry = await session.LogAsync(
            new LogEntry("privacy.anonymised", actor, Urn.Dataset(Digest.Parse(output.Sha256)), LogOutcome.Done)
            {
                Details = new JsonObject
                {
                    ["input"] = input.Sha256,
                    ["transformation"] = derivation.Id.ToString("N"),
                    ["description"] = derivation.Description,
                },
            },
            cancellationToken
        );
        await DerivationGraph.LinkAsync(
            session,
            derivation,
            [input],
            output,
            GraphGrade.Observed,
            entry,
            cancellationToken
        );
    }
}

/// <summary>What the anonymise step works with.</summary>
internal sealed class AnonymiseTools(
    IWriter writer,
    DatasetVault vault,
    IKeyWrap keys,
    IDbContextFactory<GovernanceDb> databases,
    PrivacyOptions options,
    TimeProvider clock
)
{
    public IWriter Writer => writer;
    public DatasetVault Vault => vault;
    public IKeyWrap Keys => keys;
    public TimeProvider Clock => clock;

    /// <summary>
    /// What may be generalised depends on what the columns are, so the input must be scanned. What an officer said about
    /// another owner's copy of the same bytes holds, too.
    /// </summary>
    public async Task<Failure?> CheckAsync(
        Digest input,
        IReadOnlyList<ColumnTreatment> treatments,
        CancellationToken cancellationToken
    )
    {
        if (!treatments.Any(treatment => treatment.Method == "generalise"))
        {
            return null;
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var copies = await db.CopiesAsync([input.Hex], cancellationToken);
        if (copies.TrueForAll(row => row.ScanState != ScanStates.Scanned))
        {
            return Failure.Conflict("privacy.not_scanned", "The dataset has not been scanned yet.");
        }

        var known = await db.ColumnsAsync([.. copies.Select(row => row.Id)], cancellationToken);
        return Anonymiser.CheckDirect([.. known.SelectMany(group => group).Select(DatasetQueries.Final)], treatments);
    }

    /// <summary>Streams a stored dataset through its treatments.</summary>
    public Result<long> Treat(
        Guid input,
        byte[] wrappedKey,
        IReadOnlyList<ColumnTreatment> treatments,
        byte[] tokenKey,
        Stream output,
        CancellationToken cancellationToken
    )
    {
        var table = CsvTable.Open(() => vault.Open(input, wrappedKey), options.Limits, cancellationToken);
        if (!table.Ok)
        {
            return table.Failure;
        }

        var plan = Anonymiser.Plan(table.Value.Columns, treatments, tokenKey);
        return plan.Ok ? plan.Value.Write(table.Value, output, cancellationToken) : plan.Failure;
    }
}
