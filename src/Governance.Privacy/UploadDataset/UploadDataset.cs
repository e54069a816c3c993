using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Privacy.Engine;
using Governance.Privacy.ScanDataset;
using Governance.Privacy.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Privacy.UploadDataset;

/// <summary>
/// Streams a dataset in. The same bytes by the same owner are the same dataset; by another owner they are another copy with
/// its own key, scan and declarations, and nothing tells that the first one exists.
/// </summary>
internal sealed class UploadHandler(
    IAccess access,
    IWriter writer,
    DatasetVault vault,
    PrivacyOptions options,
    TimeProvider clock
)
{
    private const int MaxName = 200;

    public async Task<Result<Guid>> HandleAsync(
        Actor actor,
        string name,
        string format,
        Stream content,
        CancellationToken cancellationToken
    )
    {
        if (CheckName(name) is { } badName)
        {
            return badName;
        }

        if (format != "csv")
        {
            return Failure.Invalid("privacy.bad_format", "The format is csv.");
        }

        var rights = await access.RightsOfAsync(actor, cancellationToken);
        if (!rights.Allows(Permissions.DatasetWrite, AccessTarget.Dataset(name, actor.Id)))
        {
            return await Refusals.DenyAsync(writer, actor, "upload", "", cancellationToken);
        }

        var id = Guid.CreateVersion7(clock.GetUtcNow());
        await using var file = vault.Create(id);
        if (!await CopyAsync(content, file, cancellationToken))
        {
            return new Failure(
                FailureKind.TooLarge,
                "privacy.too_large",
                $"A dataset has at most {options.MaxDatasetBytes} bytes."
            );
        }

        if (file.Size == 0)
        {
            return Failure.Invalid("privacy.malformed", "The dataset is empty.");
        }

        var wrapped = vault.Wrap(id, file.Key);
        var digest = file.Complete();
        return await StoreAsync(
            actor,
            new DatasetRow
            {
                Id = id,
                FileId = id,
                Sha256 = digest.Hex,
                OwnerId = actor.Id,
                Name = name,
                Format = format,
                Size = file.Size,
                WrappedKey = wrapped,
            },
            null,
            cancellationToken
        );
    }

    /// <summary>
    /// Commits a copy with its log entry and scan job; returns the id of the copy that holds, an older one of the same owner
    /// if there is one. <paramref name="also"/> adds to the unit with that id. The file is removed when nothing refers to it.
    /// </summary>
    public async Task<Result<Guid>> StoreAsync(
        Actor actor,
        DatasetRow fresh,
        Func<WriteSession, DatasetRow, CancellationToken, Task>? also,
        CancellationToken cancellationToken
    )
    {
        var (used, kept) = (false, false);
        try
        {
            var stored = await writer.WriteAsync<Guid>(
                async (session, token) =>
                {
                    var row = await session
                        .Db.Set<DatasetRow>()
                        .FirstOrDefaultAsync(
                            item => item.Sha256 == fresh.Sha256 && item.OwnerId == fresh.OwnerId,
                            token
                        );
                    if (row is null)
                    {
                        row = fresh;
                        row.Revision = 0; // the unit may run again
                        row.CreatedAt = session.Now;
                        session.Db.Add(row);
                        await session.Db.SaveChangesAsync(token);
                        await LogAsync(session, actor, row, token);
                    }
                    else if (row.WrappedKey is null)
                    {
                        // The bytes had been removed after a scan: this upload brings them back.
                        row.FileId = fresh.FileId;
                        row.WrappedKey = fresh.WrappedKey;
                    }

                    if (also is not null || row.ScanState == ScanStates.Failed || row.FileId == fresh.FileId)
                    {
                        row.Revision++;
                        row.ScanState = ScanStates.Pending;
                        await session.Db.SaveChangesAsync(token);
                    }

                    if (also is not null)
                    {
                        await also(session, row, token);
                    }

                    await session.EnqueueAsync(ScanJob.For(row.Id), token);
                    used = row.FileId == fresh.FileId;
                    return row.Id;
                },
                cancellationToken
            );
            kept = stored.Ok && used;
            return stored;
        }
        finally
        {
            if (!kept)
            {
                vault.Delete(fresh.FileId);
            }
        }
    }

    /// <summary>Names stand in logs and graphs: no identifiers in them. Code <c>privacy.bad_name</c>.</summary>
    public static Failure? CheckName(string name) =>
        name.Length is 0 or > MaxName
        || name.Any(char.IsControl)
        || name != name.Trim()
        || TextDetector.Find(name).Any(span => span.Kind != Kinds.PersonName)
            ? Failure.Invalid(
                "privacy.bad_name",
                "A dataset name has 1 to 200 characters, no control characters and no identifiers of persons."
            )
            : null;

    private static Task LogAsync(
        WriteSession session,
        Actor actor,
        DatasetRow row,
        CancellationToken cancellationToken
    ) =>
        session.LogAsync(
            new LogEntry("privacy.dataset_uploaded", actor, Urn.Dataset(Digest.Parse(row.Sha256)), LogOutcome.Done)
            {
                Details = new JsonObject
                {
                    ["name"] = row.Name,
                    ["format"] = row.Format,
                    ["size"] = row.Size,
                },
            },
            cancellationToken
        );

    private async Task<bool> CopyAsync(Stream content, EncryptingStream file, CancellationToken cancellationToken)
    {
        var buffer = new byte[ChunkFormat.ChunkSize];
        for (int read; (read = await content.ReadAsync(buffer, cancellationToken)) > 0; )
        {
            if (file.Size + read > options.MaxDatasetBytes)
            {
                return false;
            }

            await file.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
        }

        return true;
    }
}

/// <summary>Refusals are committed before they are answered.</summary>
internal static class Refusals
{
    public static readonly Failure NotFound = Failure.NotFound(
        "privacy.dataset_not_found",
        "There is no such dataset, or you may not know of it."
    );

    public static async Task<Failure> DenyAsync(
        IWriter writer,
        Actor actor,
        string action,
        string subject,
        CancellationToken cancellationToken
    )
    {
        await writer.LogAsync(
            new LogEntry("privacy.refused", actor, subject, LogOutcome.Refused)
            {
                Details = new JsonObject { ["action"] = action, ["code"] = "privacy.denied" },
            },
            cancellationToken
        );
        return Failure.Denied("privacy.denied", "You may not do this with this dataset.");
    }
}
