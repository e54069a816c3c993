using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Keys;

namespace Governance.Gateway.Tls;

/// <summary>
/// What the server presents: a certificate of the private CA, made at each start and again when a third of its life is left,
/// or the one in the operator's files. It is swapped as a whole; connections that exist keep theirs.
/// </summary>
internal sealed class ServerCertificates : IDisposable
{
    private static readonly TimeSpan Renew = TimeSpan.FromDays(30);
    private readonly IReadOnlyList<string> _hosts;
    private readonly PrivateAuthority _authority;
    private readonly CertificateFiles? _files;
    private readonly TimeProvider _clock;
    private volatile Served _served;
    private Digest? _seen;

    private sealed record Served(X509Certificate2 Leaf, SslStreamCertificateContext Context);

    public ServerCertificates(
        PlatformOptions options,
        GatewayOptions gateway,
        TlsOptions tls,
        IKeyWrap keys,
        TimeProvider clock
    )
    {
        _clock = clock;
        _hosts = AllowedHosts.Of(options, gateway);
        _authority = new PrivateAuthority(options.DataDirectory, keys, clock.GetUtcNow());
        Trusted = [_authority.Certificate];
        if (tls.CertificateFile.Length > 0)
        {
            _files = new CertificateFiles(tls, _hosts);
            Trusted.AddRange(_files.Authorities());
            _seen = _files.Fingerprint();
        }

        _served = Load();
    }

    /// <summary>The certificate of the private CA as PEM, for clients.</summary>
    public string CertificatePath => _authority.CertificatePath;

    /// <summary>The certificate of the private CA.</summary>
    public X509Certificate2 Authority => _authority.Certificate;

    /// <summary>Whom the gateway's own pages trust to be the gateway, besides <see cref="Server"/> itself.</summary>
    public X509Certificate2Collection Trusted { get; }

    /// <summary>Whether the operator supplies the certificate.</summary>
    public bool FromFiles => _files is not null;

    /// <summary>The server's certificate with its key.</summary>
    public X509Certificate2 Server => _served.Leaf;

    /// <summary>When it ends, UTC.</summary>
    public DateTimeOffset ValidTo => new DateTimeOffset(Server.NotAfter).ToUniversalTime();

    /// <summary>The same with its chain, as a handshake needs it.</summary>
    public SslStreamCertificateContext Context => _served.Context;

    /// <summary>
    /// Takes what changed since it was last asked; whether there was something. Throws <see cref="InvalidOperationException"/>
    /// with a sentence when the files changed into something unusable, once for each change: what was served goes on being served.
    /// </summary>
    public bool Refresh()
    {
        if (_files is null)
        {
            if (ValidTo - _clock.GetUtcNow() > Renew)
            {
                return false;
            }
        }
        else
        {
            var now = _files.Fingerprint();
            if (now == _seen)
            {
                return false;
            }

            _seen = now;
        }

        _served = Load(); // the one before is not disposed of: handshakes may be using it
        return true;
    }

    public void Dispose()
    {
        _served.Leaf.Dispose();
        _authority.Dispose();
    }

    private Served Load()
    {
        var now = _clock.GetUtcNow();
        var (leaf, chain) = _files?.Load(now) ?? (_authority.Issue(now, _hosts), []);

        // Offline: intermediates and revocation answers come from the files or not at all, never from a download.
        return new Served(leaf, SslStreamCertificateContext.Create(leaf, chain, offline: true));
    }
}

/// <summary>The host names that requests may carry.</summary>
internal static class AllowedHosts
{
    public static IReadOnlyList<string> Of(PlatformOptions options, GatewayOptions gateway) =>
        [
            .. new[] { "localhost", "127.0.0.1", "[::1]", new Uri(options.PublicUrl).Host }
                .Concat(
                    gateway.AllowedHosts.Split(
                        ',',
                        StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries
                    )
                )
                .Distinct(),
        ];
}
