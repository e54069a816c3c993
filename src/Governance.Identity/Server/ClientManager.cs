using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenIddict.Abstractions;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore.Models;

namespace Governance.Identity.Server;

/// <summary>
/// The library's manager of clients, with three things done our way: how secrets are stored, when a certificate is the
/// client's, and how long a replaced secret still counts.
/// </summary>
internal sealed class ClientManager(
    IOpenIddictApplicationCache<OpenIddictEntityFrameworkCoreApplication> cache,
    ILogger<OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>> logger,
    IOptionsMonitor<OpenIddictCoreOptions> options,
    IOpenIddictApplicationStore<OpenIddictEntityFrameworkCoreApplication> store,
    TimeProvider clock
) : OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>(cache, logger, options, store)
{
    private const string Scheme = "hmac-sha256";
    private const int SaltSize = 16;

    /// <summary>How the client is registered.</summary>
    public async ValueTask<ClientRegistration> RegistrationOfAsync(
        OpenIddictEntityFrameworkCoreApplication client,
        CancellationToken cancellationToken
    ) => ClientRegistration.Of(await GetSettingsAsync(client, cancellationToken));

    /// <summary>How the client of a request is registered that the library let through.</summary>
    public async ValueTask<ClientRegistration> RegistrationOfAsync(
        OpenIddictRequest request,
        CancellationToken cancellationToken
    ) =>
        await RegistrationOfAsync(
            await FindByClientIdAsync(request.ClientId ?? "", cancellationToken)
                ?? throw new InvalidOperationException("The library lets no unknown client through."),
            cancellationToken
        );

    /// <summary>
    /// What is stored for a secret. Secrets are made by <see cref="RandomNumberGenerator"/> with 256 bits, so there is nothing
    /// to guess and a slow hash would protect nobody; the salt keeps equal secrets apart.
    /// </summary>
    public static string HashSecret(string secret)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltSize);
        var hash = HMACSHA256.HashData(salt, Encoding.UTF8.GetBytes(secret));
        return $"{Scheme}:{Convert.ToHexStringLower(salt)}:{Convert.ToHexStringLower(hash)}";
    }

    /// <summary>Puts a new secret before the old one, which counts until then. Older ones are dropped.</summary>
    public static string Replace(string stored, string secret, DateTimeOffset until) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{HashSecret(secret)} {stored.Split(' ')[0]} {until.ToUnixTimeSeconds()}"
        );

    /// <summary>Any current certificate binds tokens; only a registered one proves a client that is registered with certificates.</summary>
    public override async ValueTask<bool> ValidateSelfSignedTlsClientCertificateAsync(
        OpenIddictEntityFrameworkCoreApplication application,
        X509Certificate2 certificate,
        X509ChainPolicy policy,
        CancellationToken cancellationToken = default
    )
    {
        // RFC 8705 §2.2: the chain says nothing here, the certificate itself is registered. The library's own way builds a
        // chain from JSON web keys and finds no certificate in those of elliptic curves.
        var registration = await RegistrationOfAsync(application, cancellationToken);
        var shown = Encoding.ASCII.GetBytes(ThumbprintOf(certificate));
        return IsCurrent(certificate)
            && registration.Method switch
            {
                ClientRegistration.SelfSignedTls => registration.Certificates.Any(known =>
                    CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(known), shown)
                ),
                ClientRegistration.PkiTls => false, // no authority signed it: it proves none of those whom one vouches for
                _ => true,
            };
    }

    /// <summary>As above; a client of this kind is proven by a chain to the configured authorities and its registered DNS name.</summary>
    public override async ValueTask<bool> ValidatePublicKeyInfrastructureTlsClientCertificateAsync(
        OpenIddictEntityFrameworkCoreApplication application,
        X509Certificate2 certificate,
        X509ChainPolicy policy,
        CancellationToken cancellationToken = default
    )
    {
        var registration = await RegistrationOfAsync(application, cancellationToken);
        if (registration.Method != ClientRegistration.PkiTls)
        {
            return IsCurrent(certificate) && registration.Method != ClientRegistration.SelfSignedTls;
        }

        using var chain = new X509Chain { ChainPolicy = policy };
        return registration.DnsName.Length > 0
            && policy.CustomTrustStore.Count > 0
            && chain.Build(certificate)
            && certificate.MatchesHostname(registration.DnsName, allowWildcards: false, allowCommonName: false);
    }

    /// <summary>SHA-256 of a certificate, lower-case hex.</summary>
    public static string ThumbprintOf(X509Certificate2 certificate) =>
        Convert.ToHexStringLower(SHA256.HashData(certificate.RawData));

    protected override ValueTask<string> ObfuscateClientSecretAsync(
        string secret,
        CancellationToken cancellationToken = default
    ) => ValueTask.FromResult(HashSecret(secret));

    protected override ValueTask<bool> ValidateClientSecretAsync(
        string secret,
        string comparand,
        CancellationToken cancellationToken = default
    )
    {
        var parts = comparand.Split(' ');
        var fits = Fits(secret, parts[0]);
        if (
            parts is [_, var old, var until]
            && long.TryParse(until, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            && clock.GetUtcNow().ToUnixTimeSeconds() < seconds
        )
        {
            fits |= Fits(secret, old);
        }

        return ValueTask.FromResult(fits);
    }

    private static bool Fits(string secret, string stored) =>
        stored.Split(':') is [Scheme, var salt, var hash]
        && CryptographicOperations.FixedTimeEquals(
            HMACSHA256.HashData(Convert.FromHexString(salt), Encoding.UTF8.GetBytes(secret)),
            Convert.FromHexString(hash)
        );

    private bool IsCurrent(X509Certificate2 certificate)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return certificate.NotBefore.ToUniversalTime() <= now && now <= certificate.NotAfter.ToUniversalTime();
    }
}
