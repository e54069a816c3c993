using System.Net;
using Governance.Registry.Remote;

namespace Governance.Registry.Contracts;

/// <summary>
/// An MLflow server that the gateway may ask, and nothing else may be asked in its name. Bound from configuration only: no
/// request can name an address.
/// </summary>
public sealed class RemoteServer
{
    /// <summary>Its tracking address, <c>https://host[:port][/prefix]</c>.</summary>
    public string Url { get; set; } = "";

    /// <summary>
    /// File whose one line is <c>bearer TOKEN</c> or <c>basic USER:PASSWORD</c>, read again for each request. Empty for none.
    /// </summary>
    public string CredentialFile { get; set; } = "";

    /// <summary>Environment variable that holds the same as <see cref="CredentialFile"/>. Empty for none; not both.</summary>
    public string CredentialVariable { get; set; } = "";

    /// <summary>PEM file of the authorities that the server's certificate must come from; empty for the system's.</summary>
    public string Authorities { get; set; } = "";

    /// <summary>
    /// The certificate that the gateway shows the server, with its chain: a PEM file, or PKCS#12. Read at start. Empty for none.
    /// </summary>
    public string ClientCertificate { get; set; } = "";

    /// <summary>PEM file of its key; empty when it is in the same file.</summary>
    public string ClientKey { get; set; } = "";

    /// <summary>File whose one line opens the key or the PKCS#12 file; empty when nothing closes it.</summary>
    public string ClientPasswordFile { get; set; } = "";

    /// <summary>Networks, e.g. <c>10.1.0.0/16</c>, in which the server's name may lie although they are not public. Default none.</summary>
    public IList<string> Networks { get; } = [];

    /// <summary>Whether an <c>http://</c> address is taken. Everything sent there, the credential too, can be read and changed on the way. Default false.</summary>
    public bool AllowHttp { get; set; }

    /// <summary>What is wrong with the settings, in a sentence; null when nothing is.</summary>
    internal string? Wrong()
    {
        if (
            !Uri.TryCreate(Url, UriKind.Absolute, out var uri)
            || (uri.Scheme != Uri.UriSchemeHttps && uri.Scheme != Uri.UriSchemeHttp)
            || uri.UserInfo.Length > 0
            || uri.Query.Length > 0
            || uri.Fragment.Length > 0
        )
        {
            return "Url is an absolute https address without user name, query or fragment.";
        }

        return uri.Scheme == Uri.UriSchemeHttp && !AllowHttp ? "Url is plain http, and AllowHttp is not set."
            : CredentialFile.Length > 0 && CredentialVariable.Length > 0
                ? "CredentialFile and CredentialVariable are both set."
            : CredentialFile.Length > 0 && !File.Exists(CredentialFile) ? "CredentialFile: there is no such file."
            : Authorities.Length > 0 && !File.Exists(Authorities) ? "Authorities: there is no such file."
            : ClientCertificate.Length > 0 && uri.Scheme == Uri.UriSchemeHttp ? "ClientCertificate: Url is plain http."
            : ClientCertificate.Length == 0 && ClientKey.Length + ClientPasswordFile.Length > 0
                ? "ClientKey and ClientPasswordFile belong to ClientCertificate, which is empty."
            : ClientIdentity.Wrong(this) is { } why ? why
            : Networks.FirstOrDefault(text => !IPNetwork.TryParse(text, out _)) is { } network
                ? $"Networks: '{network}' is no network in CIDR form."
            : null;
    }
}
