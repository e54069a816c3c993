using Governance.Kernel;

namespace Governance.Platform.Blobs;

/// <summary>Where a blob is in its life. The numbers stand in the database.</summary>
internal enum BlobState
{
    /// <summary>Rows may refer to it.</summary>
    Live = 0,

    /// <summary>Nothing referred to it when it was looked at; its bytes are still there and it can become live again.</summary>
    Unused = 1,

    /// <summary>Its bytes are being deleted: whatever is put under the digest now may vanish.</summary>
    Deleting = 2,

    /// <summary>Its bytes were deleted at <see cref="BlobRow.ChangedAt"/>; kept until no older upload can still be under way.</summary>
    Absent = 3,
}

/// <summary>A stored blob that rows may refer to, or what is known about one that is being collected.</summary>
internal sealed class BlobRow
{
    /// <summary>How long after its upload a blob can be attached.</summary>
    public static readonly TimeSpan AttachWithin = TimeSpan.FromHours(1);

    // Gateways on one database agree on the time to within this.
    private static readonly TimeSpan ClockSlack = TimeSpan.FromSeconds(2);

    public Digest Digest { get; set; }

    public long Size { get; set; }

    public byte[] ChunkDigests { get; set; } = [];

    public DateTimeOffset CreatedAt { get; set; }

    public BlobState State { get; set; }

    /// <summary>When <see cref="State"/> last changed, or was last looked at, UTC.</summary>
    public DateTimeOffset ChangedAt { get; set; }

    /// <summary>Whether its bytes are there to be read.</summary>
    public bool IsThere => State is BlobState.Live or BlobState.Unused && CreatedAt != default;

    /// <summary>What follows from looking whether anything refers to it: used again, unused, or unused for the second time.</summary>
    public void Look(bool used, DateTimeOffset now)
    {
        State =
            used ? BlobState.Live
            : State == BlobState.Live ? BlobState.Unused
            : BlobState.Deleting;
        ChangedAt = now;
    }

    /// <summary>
    /// Makes it live, if its bytes are certain to be there: those of a live or unused blob are; others must have been put in
    /// place after the last deletion ended, which is remembered for longer than an upload may wait. False: the content must be
    /// sent again.
    /// </summary>
    public bool Attach(StoredBlob blob, DateTimeOffset now)
    {
        var recent = blob.StoredAt > now - AttachWithin;
        var sure = State switch
        {
            BlobState.Live or BlobState.Unused => recent,
            BlobState.Deleting => false,
            _ => recent && blob.StoredAt > ChangedAt + ClockSlack,
        };
        if (sure && State != BlobState.Live)
        {
            (Size, ChunkDigests, CreatedAt) = (blob.Size, blob.ChunkDigests, now);
            (State, ChangedAt) = (BlobState.Live, now);
        }

        return sure;
    }
}
