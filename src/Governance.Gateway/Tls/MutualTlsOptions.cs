using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Gateway.Hosting;
using Microsoft.Extensions.Options;

namespace Governance.Gateway.Tls;

/// <summary>Settings of the listener that asks for client certificates. Bound from the section <c>Governance:MutualTls</c>.</summary>
public sealed class MutualTlsOptions
{
    /// <summary>Port to listen on, beside that of <see cref="GatewayOptions.Urls"/>; 0 for none. Default 0.</summary>
    [Range(0, 65535)]
    public int Port { get; set; }

    /// <summary>
    /// PEM file of authorities whose certificates prove clients of the method <c>tls_client_auth</c>; relative paths resolve as
    /// those of <see cref="GatewayOptions"/>. Default none: only registered certificates prove a client.
    /// </summary>
    public string AuthoritiesFile { get; set; } = "";

    /// <summary>The authorities of the file.</summary>
    internal X509Certificate2Collection Authorities()
    {
        var authorities = new X509Certificate2Collection();
        if (AuthoritiesFile.Length == 0)
        {
            return authorities;
        }

        try
        {
            authorities.ImportFromPemFile(Path.GetFullPath(AuthoritiesFile, Paths.Base));
        }
        catch (CryptographicException)
        {
            authorities.Clear();
        }

        return authorities.Count > 0
            ? authorities
            : throw new InvalidOperationException("Governance:MutualTls:AuthoritiesFile holds no certificate in PEM.");
    }
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
internal sealed partial class MutualTlsOptionsValidator : IValidateOptions<MutualTlsOptions>;
