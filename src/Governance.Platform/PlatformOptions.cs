namespace Governance.Platform;

/// <summary>Where things lie. Bound from the section <c>Governance</c>.</summary>
public sealed class PlatformOptions
{
    /// <summary>Absolute path of the data directory: database, blobs, wrapped keys. Default <c>data</c>, made absolute by the host.</summary>
    public string DataDirectory { get; set; } = "data";

    /// <summary>Absolute path of the policies directory, which seeds an empty data directory. Default <c>policies</c>.</summary>
    public string PoliciesDirectory { get; set; } = "policies";

    /// <summary>Absolute path of the file with the key-encryption key (32 random bytes, base64); must lie outside the data directory.</summary>
    public string KeyFile { get; set; } = "";

    /// <summary>Public base address, e.g. <c>https://localhost:8443</c>; issuer of tokens, no trailing slash.</summary>
    public string PublicUrl { get; set; } = "https://localhost:8443";

    /// <summary>Assembly that holds the database migrations; set by the host, empty in module tests.</summary>
    public string MigrationsAssembly { get; set; } = "";
}
