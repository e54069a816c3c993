using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Governance.Platform.Blobs;

/// <summary>Where artifacts are kept, and how. Bound from the section <c>Governance:Blobs</c>.</summary>
public sealed class BlobOptions
{
    /// <summary>How content that shrinks is kept: <c>None</c>, <c>Lz4</c> or <c>Zstd</c>. Default <c>Lz4</c>.</summary>
    [EnumDataType(typeof(BlobCompression))]
    public BlobCompression Compression { get; set; } = BlobCompression.Lz4;

    /// <summary>Effort of <c>Zstd</c>, 1–19. Default 3.</summary>
    [Range(1, 19)]
    public int ZstdLevel { get; set; } = 3;

    /// <summary>Whether content that nothing refers to is removed. Default true.</summary>
    public bool Collect { get; set; } = true;

    /// <summary>Hours between the two looks that must both find content unused before it is removed, 3–8760. Default 24.</summary>
    [Range(3, 8760)]
    public int GraceHours { get; set; } = 24;
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
public sealed partial class BlobOptionsValidator : IValidateOptions<BlobOptions>;
