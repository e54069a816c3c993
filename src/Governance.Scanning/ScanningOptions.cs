using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Governance.Scanning;

/// <summary>Budgets of a scan. Whatever exceeds one is <c>TimedOut</c>, thus refused.</summary>
public sealed class ScanningOptions
{
    /// <summary>Wall time for one version, in seconds. Default 300, 1 to 3,600.</summary>
    [Range(1, 3600)]
    public int MaxSeconds { get; set; } = 300;

    /// <summary>Bytes read from files of one version, plain. Default 16 GiB.</summary>
    [Range(1, long.MaxValue)]
    public long MaxBytes { get; set; } = 16L << 30;

    /// <summary>Bytes that decompression of one version may produce in all. Default 8 GiB.</summary>
    [Range(1, long.MaxValue)]
    public long MaxExpandedBytes { get; set; } = 8L << 30;

    /// <summary>Expanded bytes per compressed byte of one member, above the first 16 MiB. Default 200.</summary>
    [Range(1, 1032)]
    public int MaxRatio { get; set; } = 200;

    /// <summary>Members of all archives of one version. Default 50,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxMembers { get; set; } = 50_000;

    /// <summary>Archives inside archives, pickles inside pickles. Default 4, 0 to 16.</summary>
    [Range(0, 16)]
    public int MaxNesting { get; set; } = 4;

    /// <summary>Pickle opcodes of one file. Default 200 million.</summary>
    [Range(1, long.MaxValue)]
    public long MaxOpcodes { get; set; } = 200_000_000;

    /// <summary>Values on the symbolic stack, and separately in the memo. Default 4 million each.</summary>
    [Range(16, 100_000_000)]
    public int MaxStack { get; set; } = 4_000_000;

    /// <summary>Bytes of a YAML, JSON or requirements document. Default 4 MiB; a longer document is not parsed.</summary>
    [Range(1024, 64 << 20)]
    public int MaxDocumentBytes { get; set; } = 4 << 20;

    /// <summary>Bytes of one file or member held in memory; more goes to an unnamed temporary file. Default 8 MiB.</summary>
    [Range(0, 1 << 30)]
    public int MaxMemoryBytes { get; set; } = 8 << 20;
}

/// <summary>Checks the options at start.</summary>
[OptionsValidator]
internal sealed partial class ScanningOptionsValidator : IValidateOptions<ScanningOptions>;
