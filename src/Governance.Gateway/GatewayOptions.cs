using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Governance.Gateway;

/// <summary>Settings of the gateway. Bound from the section <c>Governance</c>; relative paths resolve against <see cref="Hosting.Paths.Base"/>.</summary>
public sealed class GatewayOptions
{
    /// <summary>Address to listen on: https, a host name or <c>*</c>, and a port. Default <c>https://localhost:8443</c>.</summary>
    [
        Required,
        RegularExpression(
            @"https://[A-Za-z0-9.\-*\[\]:]+:\d{1,5}",
            ErrorMessage = "Governance:Urls must be one https address with a port; plain HTTP is refused."
        )
    ]
    public string Urls { get; set; } = "https://localhost:8443";

    /// <summary>Address that clients use, no trailing slash; issuer of tokens. Default: the listening address.</summary>
    public string PublicUrl { get; set; } = "";

    /// <summary>Data directory. Default <c>data</c>.</summary>
    [Required]
    public string DataDirectory { get; set; } = "data";

    /// <summary>Policies directory, which seeds an empty data directory. Default <c>policies</c>.</summary>
    [Required]
    public string PoliciesDirectory { get; set; } = "policies";

    /// <summary>
    /// File with the key-encryption key, outside the data directory. Default: a file per data directory below the user's
    /// configuration directory; start-up prints where.
    /// </summary>
    public string KeyFile { get; set; } = "";

    /// <summary>Host names that requests may carry, besides those of the addresses above; comma-separated. Default none.</summary>
    public string AllowedHosts { get; set; } = "";
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
internal sealed partial class GatewayOptionsValidator : IValidateOptions<GatewayOptions>;
