using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Gateway.Hosting;
using Governance.Kernel;

namespace Governance.Gateway.Tls;

/// <summary>
/// The certificate that the operator put into files. Whatever is wrong with it is said in one sentence, as an
/// <see cref="InvalidOperationException"/>; nothing is presented that clients would refuse.
/// </summary>
internal sealed class CertificateFiles(TlsOptions options, IReadOnlyList<string> hosts)
{
    private const int MaxBytes = 1 << 20;
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    private readonly string _certificate = Path.GetFullPath(options.CertificateFile, Paths.Base);
    private readonly string? _key = Absolute(options.KeyFile);
    private readonly string? _password = Absolute(options.PasswordFile);

    /// <summary>The authority behind them, or empty.</summary>
    public X509Certificate2Collection Authorities()
    {
        var authorities = new X509Certificate2Collection();
        if (Absolute(options.AuthorityFile) is { } file)
        {
            Explained(
                file,
                () =>
                {
                    authorities.ImportFromPem(System.Text.Encoding.UTF8.GetString(Read(file)));
                    return authorities;
                }
            );
        }

        return authorities;
    }

    /// <summary>What the files hold now, so that a change is seen however they were replaced; also that one can't be read.</summary>
    public Digest Fingerprint()
    {
        var parts = new[] { _certificate, _key, _password }.Select(path => path is null ? "" : Fingerprint(path));
        return Digest.Of(string.Join(' ', parts));
    }

    /// <summary>Reads the certificate with its key, and its intermediates; throws when it can't serve.</summary>
    public (X509Certificate2 Leaf, X509Certificate2Collection Intermediates) Load(DateTimeOffset now)
    {
        var password = _password is null ? null : FirstLine(Read(_password));
        var content = Read(_certificate);
        var name = Path.GetExtension(_certificate).ToLowerInvariant();
        var (leaf, others) = Explained(
            _certificate,
            () => name is ".pfx" or ".p12" ? FromPkcs12(content, password) : FromPem(content, password)
        );
        if (Broken(leaf, now) is { } sentence)
        {
            leaf.Dispose();
            throw new InvalidOperationException($"{_certificate}: {sentence}");
        }

        return (leaf, others);
    }

    private static (X509Certificate2, X509Certificate2Collection) FromPkcs12(byte[] content, string? password)
    {
        var all = X509CertificateLoader.LoadPkcs12Collection(content, password);
        var leaf =
            all.FirstOrDefault(certificate => certificate.HasPrivateKey)
            ?? throw new CryptographicException("no certificate with a private key is in it");
        all.Remove(leaf);
        return (leaf, all);
    }

    private (X509Certificate2, X509Certificate2Collection) FromPem(byte[] content, string? password)
    {
        var text = System.Text.Encoding.UTF8.GetString(content);
        var key = _key is null ? text : System.Text.Encoding.UTF8.GetString(Read(_key));
        using var read = password is null
            ? X509Certificate2.CreateFromPem(text, key)
            : X509Certificate2.CreateFromEncryptedPem(text, key, password);
        var others = new X509Certificate2Collection();
        others.ImportFromPem(text);
        others.RemoveAt(0); // the leaf itself, which stands first
        return (X509CertificateLoader.LoadPkcs12(read.Export(X509ContentType.Pfx), null), others);
    }

    private string? Broken(X509Certificate2 leaf, DateTimeOffset now)
    {
        if (now < new DateTimeOffset(leaf.NotBefore) || now >= new DateTimeOffset(leaf.NotAfter))
        {
            return $"it is valid from {leaf.NotBefore.ToUniversalTime():u} to {leaf.NotAfter.ToUniversalTime():u}.";
        }

        if (leaf.Extensions.OfType<X509BasicConstraintsExtension>().Any(basic => basic.CertificateAuthority))
        {
            return "it is a CA's certificate, or the server's does not stand first.";
        }

        using var rsa = leaf.GetRSAPublicKey();
        using var ec = leaf.GetECDsaPublicKey();
        if (rsa is { KeySize: < 2048 } || ec is { KeySize: < 256 } || (rsa is null && ec is null))
        {
            return "its key is neither RSA of 2048 bits or more nor ECDSA of 256 bits or more.";
        }

        var usages = leaf.Extensions.OfType<X509EnhancedKeyUsageExtension>();
        if (usages.Any(usage => !usage.EnhancedKeyUsages.OfType<Oid>().Any(oid => oid.Value == ServerAuthentication)))
        {
            return "it is not meant for servers (extended key usage).";
        }

        return hosts.Any(host => leaf.MatchesHostname(host.Trim('[', ']')))
            ? null
            : $"it names none of {string.Join(", ", hosts)}.";
    }

    private static string Fingerprint(string path)
    {
        try
        {
            return Digest.Of(Read(path)).Hex;
        }
        catch (InvalidOperationException problem)
        {
            return Digest.Of(problem.Message).Hex;
        }
    }

    private static T Explained<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception problem) when (problem is CryptographicException or ArgumentException)
        {
            // The texts of the library name no content, only what is wrong with it.
            throw new InvalidOperationException($"{path} cannot be used: {problem.Message}", problem);
        }
    }

    private static byte[] Read(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > MaxBytes)
            {
                throw new InvalidOperationException($"{path} is longer than 1 MiB.");
            }

            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"{path} cannot be read: {problem.Message}", problem);
        }
    }

    private static string FirstLine(byte[] content) =>
        System.Text.Encoding.UTF8.GetString(content).Split('\n', 2)[0].TrimEnd('\r');

    private static string? Absolute(string path) => path.Length == 0 ? null : Path.GetFullPath(path, Paths.Base);
}
