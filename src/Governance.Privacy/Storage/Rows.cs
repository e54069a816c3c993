namespace Governance.Privacy.Storage;

/// <summary>One owner's copy of a dataset. Copies of the same bytes by two owners share nothing but their digest.</summary>
internal sealed class DatasetRow
{
    public Guid Id { get; set; }
    public string Sha256 { get; set; } = "";
    public string OwnerId { get; set; } = "";
    public string Name { get; set; } = "";
    public string Format { get; set; } = "";
    public long Size { get; set; }
    public long? Rows { get; set; }
    public string ScanState { get; set; } = ScanStates.Pending;
    public string Outcome { get; set; } = "";

    /// <summary>JSON list of reasons.</summary>
    public string Reasons { get; set; } = "[]";

    public string RulesVersion { get; set; } = "";

    /// <summary>Raised by everything that makes a running scan stale.</summary>
    public int Revision { get; set; }

    /// <summary>Names the encrypted file; a later upload of the same bytes brings a new one.</summary>
    public Guid FileId { get; set; }

    /// <summary>Wrapped data key; null once the bytes are gone.</summary>
    public byte[]? WrappedKey { get; set; }

    public string? LegalBasis { get; set; }
    public string? Purpose { get; set; }
    public DateTimeOffset CreatedAt { get; set; }
}

/// <summary>Life of a scan.</summary>
internal static class ScanStates
{
    public const string Pending = "PENDING";
    public const string Scanned = "SCANNED";
    public const string Failed = "FAILED";
}

/// <summary>A column: the conclusion, and as JSON what the values alone said.</summary>
internal sealed class ColumnRow
{
    public Guid DatasetId { get; set; }
    public int Ordinal { get; set; }
    public string Name { get; set; } = "";
    public string What { get; set; } = "";
    public string State { get; set; } = "";
    public string Role { get; set; } = "";
    public string Evidence { get; set; } = "";
    public long Matches { get; set; }
    public long Rows { get; set; }
    public string Scanned { get; set; } = "";
}

/// <summary>The anonymity measure of a dataset.</summary>
internal sealed class MeasureRow
{
    public Guid DatasetId { get; set; }
    public string QuasiIdentifiers { get; set; } = "[]";
    public string SetBy { get; set; } = "";
    public long K { get; set; }
    public long Classes { get; set; }
    public long Rows { get; set; }
    public long UniqueRows { get; set; }
    public int LeastK { get; set; }
    public int? L { get; set; }
}

/// <summary>A declaration as it was made; never changed.</summary>
internal sealed class DeclarationRow
{
    public Guid Id { get; set; }
    public Guid DatasetId { get; set; }
    public string OfficerId { get; set; } = "";
    public string Declaration { get; set; } = "";
}

/// <summary>Inputs → transformation → output; never changed.</summary>
internal sealed class DerivationRow
{
    public Guid Id { get; set; }
    public string Output { get; set; } = "";
    public string Inputs { get; set; } = "[]";
    public string Description { get; set; } = "";
    public string Columns { get; set; } = "{}";
    public string Grade { get; set; } = "";
    public string ActorId { get; set; } = "";

    /// <summary>JSON list of treatments when the gateway itself made the output.</summary>
    public string? Treatments { get; set; }

    /// <summary>Key of the tokens, wrapped.</summary>
    public byte[]? WrappedTokenKey { get; set; }
}
