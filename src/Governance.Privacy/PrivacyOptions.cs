using System.ComponentModel.DataAnnotations;
using Governance.Privacy.Engine;
using Microsoft.Extensions.Options;

namespace Governance.Privacy;

/// <summary>Settings of the privacy module. Bound from the section <c>Governance:Privacy</c>.</summary>
public sealed class PrivacyOptions
{
    /// <summary>Most bytes of one dataset, 1–1 TiB. Default 1 GiB.</summary>
    [Range(1L, 1L << 40)]
    public long MaxDatasetBytes { get; set; } = 1L << 30;

    /// <summary>Most rows of one dataset, 1–1,000,000,000. Default 10,000,000.</summary>
    [Range(1L, 1_000_000_000L)]
    public long MaxRows { get; set; } = 10_000_000;

    /// <summary>Most columns of one dataset, 1–10,000. Default 1,000.</summary>
    [Range(1, 10_000)]
    public int MaxColumns { get; set; } = 1000;

    /// <summary>Most characters of one record, 256–16,777,216. Default 1,048,576.</summary>
    [Range(256, 1 << 24)]
    public int MaxRecordChars { get; set; } = 1 << 20;

    internal TableLimits Limits => new(MaxDatasetBytes, MaxRows, MaxColumns, MaxRecordChars);
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
public sealed partial class PrivacyOptionsValidator : IValidateOptions<PrivacyOptions>;
