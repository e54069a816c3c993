using Governance.Privacy.Engine;

namespace Governance.Privacy;

/// <summary>Settings of the privacy module. Bound from the section <c>Governance:Privacy</c>.</summary>
public sealed class PrivacyOptions
{
    /// <summary>Most bytes of one dataset, 1–1 TiB. Default 1 GiB.</summary>
    public long MaxDatasetBytes { get; set; } = 1L << 30;

    /// <summary>Most rows of one dataset, 1–1,000,000,000. Default 10,000,000.</summary>
    public long MaxRows { get; set; } = 10_000_000;

    /// <summary>Most columns of one dataset, 1–10,000. Default 1,000.</summary>
    public int MaxColumns { get; set; } = 1000;

    /// <summary>Most characters of one record, 256–16,777,216. Default 1,048,576.</summary>
    public int MaxRecordChars { get; set; } = 1 << 20;

    /// <summary>Throws when a setting is out of range.</summary>
    public void Validate()
    {
        if (
            MaxDatasetBytes is < 1 or > 1L << 40
            || MaxRows is < 1 or > 1_000_000_000
            || MaxColumns is < 1 or > 10_000
            || MaxRecordChars is < 256 or > 1 << 24
        )
        {
            throw new InvalidOperationException("Governance:Privacy has a setting out of range.");
        }
    }

    internal TableLimits Limits => new(MaxDatasetBytes, MaxRows, MaxColumns, MaxRecordChars);
}
