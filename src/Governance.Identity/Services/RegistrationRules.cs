using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Governance.Identity.Engine;
using Governance.Identity.Server;
using Governance.Kernel;

namespace Governance.Identity.Services;

/// <summary>Which registrations of services are taken.</summary>
internal static class RegistrationRules
{
    private const int MaxKeys = 10;
    private const int MaxCertificate = 16 * 1024;

    /// <summary>The registration, or what is wrong with it. Without a method: a secret; without a binding: none.</summary>
    public static Result<ClientRegistration> Read(
        AuthenticationInput? authentication,
        string? binding,
        IdentityOptions options
    )
    {
        var registration = new ClientRegistration(
            authentication?.Method ?? ClientRegistration.Secret,
            binding ?? ClientRegistration.None
        );
        if (!ClientRegistration.Methods.Contains(registration.Method))
        {
            return Bad($"method is one of {string.Join(", ", ClientRegistration.Methods)}.");
        }

        if (!ClientRegistration.Bindings.Contains(registration.Binding))
        {
            return Failure.Invalid(
                "identity.bad_binding",
                $"binding is one of {string.Join(", ", ClientRegistration.Bindings)}."
            );
        }

        if (
            options.MutualTlsUrl.Length == 0
            && (
                registration.Method is ClientRegistration.SelfSignedTls or ClientRegistration.PkiTls
                || registration.Binding == ClientRegistration.MutualTlsBinding
            )
        )
        {
            return Failure.Invalid(
                "identity.no_mutual_tls",
                "This gateway has no mutual-TLS listener; set Governance:MutualTls:Port."
            );
        }

        return registration.Method switch
        {
            ClientRegistration.PrivateKeyJwt => WithKeys(registration, authentication!),
            ClientRegistration.SelfSignedTls => WithCertificates(registration, authentication!),
            ClientRegistration.PkiTls => WithDnsName(registration, authentication!, options),
            _ => authentication is null or { Jwks: null, Certificates: null, DnsName: null }
                ? registration
                : Bad("client_secret takes no further members."),
        };
    }

    private static Result<ClientRegistration> WithKeys(ClientRegistration registration, AuthenticationInput input) =>
        input is { Certificates: null, DnsName: null, Jwks: { Count: 1 } set }
        && set["keys"] is JsonArray { Count: > 0 and <= MaxKeys } keys
        && keys.All(key => key is JsonObject json && Jwk.IsUsable(json))
            ? registration with
            {
                Keys = set.ToJsonString(),
            }
            : Bad(
                $"private_key_jwt takes jwks with 1 to {MaxKeys} public keys: EC on P-256 or P-384, or RSA of 2048 to 4096 bits."
            );

    private static Result<ClientRegistration> WithCertificates(
        ClientRegistration registration,
        AuthenticationInput input
    )
    {
        var prints = input is { Jwks: null, DnsName: null, Certificates.Count: > 0 and <= MaxKeys }
            ? input.Certificates.Select(ThumbprintOf).ToList()
            : [];
        return prints.Count > 0 && !prints.Contains(null)
            ? registration with
            {
                Certificates = [.. prints.OfType<string>()],
            }
            : Bad($"self_signed_tls_client_auth takes certificates: 1 to {MaxKeys} in PEM.");
    }

    private static Result<ClientRegistration> WithDnsName(
        ClientRegistration registration,
        AuthenticationInput input,
        IdentityOptions options
    ) =>
        input is not { Jwks: null, Certificates: null, DnsName: { Length: > 0 and <= 253 } name }
        || Uri.CheckHostName(name) != UriHostNameType.Dns
            ? Bad("tls_client_auth takes dnsName: the DNS name that the certificate carries.")
        : options.ClientAuthorities.Count == 0
            ? Failure.Invalid(
                "identity.no_client_authorities",
                "No authority for client certificates is configured; set Governance:MutualTls:AuthoritiesFile."
            )
        : registration with { DnsName = name };

    private static string? ThumbprintOf(string pem)
    {
        if (pem is not { Length: <= MaxCertificate })
        {
            return null;
        }

        try
        {
            using var certificate = X509Certificate2.CreateFromPem(pem);
            return ClientManager.ThumbprintOf(certificate);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static Failure Bad(string message) => Failure.Invalid("identity.bad_authentication", message);
}
