using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Governance.Gateway.Tls;

/// <summary>Settings of the server's certificate. Bound from the section <c>Governance:Tls</c>; read anew only at a start, the files while serving.</summary>
public sealed class TlsOptions : IValidatableObject
{
    /// <summary>
    /// The certificate to present: PEM with its intermediates after it, or PKCS #12 when the name ends in <c>.pfx</c> or
    /// <c>.p12</c>. Default none: a certificate of the private CA of this installation.
    /// </summary>
    public string CertificateFile { get; set; } = "";

    /// <summary>The private key as PEM, when it is not in <see cref="CertificateFile"/>. Default none.</summary>
    public string KeyFile { get; set; } = "";

    /// <summary>File whose first line is the password of the key or of the PKCS #12 file. Default none: there is no password.</summary>
    public string PasswordFile { get; set; } = "";

    /// <summary>
    /// PEM of the authority behind <see cref="CertificateFile"/>, which the gateway's own pages need to reach
    /// <c>Governance:PublicUrl</c> through something that ends TLS before it. Default none: they trust exactly the certificate
    /// that is presented here, and the private CA.
    /// </summary>
    public string AuthorityFile { get; set; } = "";

    /// <summary>How often the files and the rest of life of the certificate are looked at, in seconds, 1–3600. Default 10.</summary>
    [Range(1, 3600)]
    public int ReloadSeconds { get; set; } = 10;

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (CertificateFile.Length == 0 && KeyFile.Length + PasswordFile.Length + AuthorityFile.Length > 0)
        {
            yield return new ValidationResult(
                "Governance:Tls:CertificateFile must be set when KeyFile, PasswordFile or AuthorityFile is."
            );
        }
    }
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
internal sealed partial class TlsOptionsValidator : IValidateOptions<TlsOptions>;
