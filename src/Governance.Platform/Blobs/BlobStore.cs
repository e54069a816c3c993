using System.Security.Cryptography;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Platform.Blobs;

/// <summary>Blobs by digest: received into the staging directory, then put in their place; rows say which may be referred to.</summary>
internal sealed class BlobStore : IBlobStore
{
    private static readonly Failure Mismatch = Failure.Conflict(
        "artifact.digest_mismatch",
        "The stored bytes are not the bytes that were registered."
    );

    private static readonly Failure Unavailable = new(
        FailureKind.Unavailable,
        "blob.store_unavailable",
        "The store of artifacts cannot be reached; try again later."
    );

    private static readonly Failure Collected = new(
        FailureKind.Unavailable,
        "blob.collected",
        "The content was removed as unused while it was being stored; send it again."
    );

    private readonly IBlobFiles _files;
    private readonly BlobOptions _options;
    private readonly IDbContextFactory<GovernanceDb> _databases;
    private readonly TimeProvider _clock;
    private readonly string _incoming;

    public BlobStore(
        IBlobFiles files,
        BlobOptions options,
        PlatformOptions platform,
        DatabaseOptions database,
        IDbContextFactory<GovernanceDb> databases,
        TimeProvider clock
    )
    {
        (_files, _options, _databases, _clock) = (files, options, databases, clock);
        _incoming = Path.Combine(platform.DataDirectory, "blobs", "incoming");
        DurableFile.CreateDirectory(_incoming);
        RemoveLeftovers(database.IsPostgreSql ? _clock.GetUtcNow().UtcDateTime.AddDays(-1) : DateTime.MaxValue);
    }

    public async Task<Failure?> CheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _files.CheckAsync(cancellationToken);
            return null;
        }
        catch (BlobsUnavailableException)
        {
            return Unavailable;
        }
    }

    public async Task<Result<StoredBlob>> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken)
    {
        var temporary = Path.Combine(_incoming, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
        using var staged = await StagedBlob.ReceiveAsync(content, temporary, _options, maxBytes, cancellationToken);
        if (staged is null)
        {
            return new Failure(FailureKind.TooLarge, "blob.too_large", $"The content is larger than {maxBytes} bytes.");
        }

        // Taken before the bytes are in their place: see BlobRow.Attach.
        var storedAt = _clock.GetUtcNow();
        try
        {
            await _files.PlaceAsync(staged.Handle, staged.Path, staged.Digest, cancellationToken);
        }
        catch (BlobsUnavailableException)
        {
            return Unavailable;
        }

        return new StoredBlob(staged.Digest, staged.Size, staged.ChunkDigests) { StoredAt = storedAt };
    }

    public async Task<Result<Unit>> AttachAsync(
        WriteSession session,
        StoredBlob blob,
        CancellationToken cancellationToken
    )
    {
        var rows = session.Db.Set<BlobRow>();
        var row = await rows.FindAsync([blob.Digest], cancellationToken);
        if (row is null)
        {
            row = new BlobRow { Digest = blob.Digest, State = BlobState.Absent };
            rows.Add(row);
        }

        return row.Attach(blob, session.Now) ? default(Unit) : Collected;
    }

    public async Task<Result<Stream>> OpenAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        await using var db = await _databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Set<BlobRow>()
            .AsNoTracking()
            .SingleOrDefaultAsync(blob => blob.Digest == digest, cancellationToken);
        if (row is not { IsThere: true })
        {
            return Failure.NotFound("blob.not_found", "No content with that digest is stored.");
        }

        try
        {
            return await OpenAsync(row, offset, cancellationToken) is { } stream ? stream : Mismatch;
        }
        catch (BlobsUnavailableException)
        {
            return Unavailable;
        }
    }

    private async Task<Stream?> OpenAsync(BlobRow row, long offset, CancellationToken cancellationToken)
    {
        if (await _files.OpenAsync(row.Digest, cancellationToken) is not { } stored)
        {
            return null;
        }

        Stream content = Stream.Null;
        var opened = false;
        try
        {
            if (
                row.ChunkDigests.Length != FrameTable.ChunksIn(row.Size) * SHA256.HashSizeInBytes
                || await FrameTable.ReadAsync(stored, row.Size, cancellationToken) is not { } frames
            )
            {
                return null;
            }

            var stream = new VerifiedStream(stored, frames, row.Digest, row.Size, row.ChunkDigests)
            {
                Position = offset,
            };
            content = stream;
            await stream.PrimeAsync(cancellationToken);
            opened = true;
            return stream;
        }
        catch (Exception exception) when (exception is BlobCorruptException or EndOfStreamException)
        {
            return null;
        }
        finally
        {
            if (!opened)
            {
                await content.DisposeAsync();
                stored.Dispose();
            }
        }
    }

    // What a crash left half-written was never acknowledged. What another gateway is writing is locked, and young in case that
    // the lock does not show on this machine.
    private void RemoveLeftovers(DateTime before)
    {
        foreach (var path in Directory.EnumerateFiles(_incoming).Where(path => File.GetLastWriteTimeUtc(path) < before))
        {
            try
            {
                using var leftover = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
                File.Delete(path);
            }
            catch (IOException)
            {
                continue;
            }
        }
    }
}
