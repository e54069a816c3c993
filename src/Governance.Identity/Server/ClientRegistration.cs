using System.Collections.Immutable;
using System.Security.Cryptography;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Governance.Identity.Server;

/// <summary>How a client proves itself and what its tokens must be bound to; kept in the settings of its OAuth registration.</summary>
/// <param name="Method">One of <see cref="Methods"/>; <c>none</c> for the public clients.</param>
/// <param name="Binding">One of <see cref="Bindings"/>.</param>
internal sealed record ClientRegistration(string Method, string Binding)
{
    public const string Secret = "client_secret";
    public const string PrivateKeyJwt = ClientAuthenticationMethods.PrivateKeyJwt;
    public const string SelfSignedTls = ClientAuthenticationMethods.SelfSignedTlsClientAuth;
    public const string PkiTls = ClientAuthenticationMethods.TlsClientAuth;
    public const string None = "none";

    public const string AnyBinding = "any";
    public const string DpopBinding = "dpop";
    public const string MutualTlsBinding = "mutual_tls";

    private const string MethodKey = "governance:method";
    private const string BindingKey = "governance:binding";
    private const string CertificatesKey = "governance:certificates";
    private const string StampKey = "governance:stamp";
    private const string DnsNameKey = "governance:dns_name";

    public static readonly IReadOnlyList<string> Methods = [Secret, PrivateKeyJwt, SelfSignedTls, PkiTls];
    public static readonly IReadOnlyList<string> Bindings = [None, AnyBinding, DpopBinding, MutualTlsBinding];

    /// <summary>A public client whose tokens need no binding.</summary>
    public static readonly ClientRegistration Public = new(None, None);

    /// <summary>SHA-256 of the certificates that a <see cref="SelfSignedTls"/> client may show, lower-case hex.</summary>
    public IReadOnlyList<string> Certificates { get; init; } = [];

    /// <summary>DNS name that the certificate of a <see cref="PkiTls"/> client carries; empty otherwise.</summary>
    public string DnsName { get; init; } = "";

    /// <summary>Public keys of a <see cref="PrivateKeyJwt"/> client, RFC 7517; empty otherwise.</summary>
    public string Keys { get; init; } = "";

    /// <summary>
    /// Another one each time that the tokens of the client end. A token names the one that was read with the secret or keys it
    /// was asked for with, so one that was being issued at that moment has ended too.
    /// </summary>
    public string Stamp { get; init; } = "";

    public static ClientRegistration Of(ImmutableDictionary<string, string> settings) =>
        new(settings.GetValueOrDefault(MethodKey, Secret), settings.GetValueOrDefault(BindingKey, None))
        {
            Certificates = settings
                .GetValueOrDefault(CertificatesKey, "")
                .Split(',', StringSplitOptions.RemoveEmptyEntries),
            DnsName = settings.GetValueOrDefault(DnsNameKey, ""),
            Stamp = settings.GetValueOrDefault(StampKey, ""),
        };

    /// <summary>The settings with another stamp.</summary>
    public static ImmutableDictionary<string, string> Stamped(ImmutableDictionary<string, string> settings) =>
        settings.SetItem(StampKey, RandomNumberGenerator.GetHexString(16, lowercase: true));

    public void WriteTo(OpenIddictApplicationDescriptor client)
    {
        client.ClientType = Method == None ? ClientTypes.Public : ClientTypes.Confidential;
        client.Settings[MethodKey] = Method;
        client.Settings[BindingKey] = Binding;
        client.Settings[CertificatesKey] = string.Join(',', Certificates);
        client.Settings[DnsNameKey] = DnsName;
        client.JsonWebKeySet = Keys.Length == 0 ? null : Microsoft.IdentityModel.Tokens.JsonWebKeySet.Create(Keys);
    }
}
