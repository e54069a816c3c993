using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;

namespace Governance.Gateway;

/// <summary>Settings of the gateway. Bound from the section <c>Governance</c>; relative paths resolve against <see cref="Hosting.Paths.Base"/>.</summary>
public sealed partial class GatewayOptions : IValidatableObject
{
    /// <summary>Address to listen on: https, a host name or <c>*</c>, and a port. Default <c>https://localhost:8443</c>.</summary>
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

    /// <summary>
    /// Proxies in front of the gateway whose <c>X-Forwarded-For</c> is believed: addresses or networks in CIDR form,
    /// comma-separated. Default none: such headers are ignored.
    /// </summary>
    public string Proxies { get; set; } = "";

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!IsHttps(Urls.Replace("*", "localhost", StringComparison.Ordinal)) || !PortAtEnd().IsMatch(Urls))
        {
            yield return new ValidationResult(
                "Governance:Urls must be one https address with a port; plain HTTP is refused."
            );
        }

        if (PublicUrl.Length > 0 && !IsHttps(PublicUrl))
        {
            yield return new ValidationResult("Governance:PublicUrl must be an https address without a path.");
        }

        if (Hosting.Proxies.Parse(Proxies).Any(network => network is null))
        {
            yield return new ValidationResult(
                "Governance:Proxies must be addresses or networks such as 10.1.2.3, 10.0.0.0/24, comma-separated."
            );
        }
    }

    private static bool IsHttps(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var address)
        && address is { Scheme: "https", PathAndQuery: "/", Fragment: "", UserInfo: "", Host.Length: > 0, Port: > 0 };

    [GeneratedRegex(@":\d{1,5}\z", RegexOptions.None, 1000)]
    private static partial Regex PortAtEnd();
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
internal sealed partial class GatewayOptionsValidator : IValidateOptions<GatewayOptions>;
