using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Registry.Contracts;

namespace Governance.Registry.Remote;

/// <summary>The certificate by which the gateway shows a server who it is.</summary>
internal static class ClientIdentity
{
    private const int MaxBytes = 1 << 20;

    /// <summary>What is wrong with its files, in a sentence; null when nothing is.</summary>
    public static string? Wrong(RemoteServer server)
    {
        try
        {
            Load(server);
            return null;
        }
        catch (Exception unusable)
            when (unusable is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            return "ClientCertificate: no certificate with its key can be read from the files that are named.";
        }
    }

    /// <summary>Reads it; null when none is configured.</summary>
    public static SslStreamCertificateContext? Load(RemoteServer server)
    {
        if (server.ClientCertificate.Length == 0)
        {
            return null;
        }

        var password = server.ClientPasswordFile.Length == 0 ? null : Text(server.ClientPasswordFile).TrimEnd();
        var chain = new X509Certificate2Collection();
        X509Certificate2? own;
        if (Text(server.ClientCertificate).Contains("-----BEGIN ", StringComparison.Ordinal))
        {
            var key = server.ClientKey.Length == 0 ? server.ClientCertificate : server.ClientKey;
            own = password is null
                ? X509Certificate2.CreateFromPemFile(server.ClientCertificate, key)
                : X509Certificate2.CreateFromEncryptedPemFile(server.ClientCertificate, password, key);
            chain.ImportFromPemFile(server.ClientCertificate);
        }
        else
        {
            chain = X509CertificateLoader.LoadPkcs12CollectionFromFile(server.ClientCertificate, password);
            own = chain.FirstOrDefault(certificate => certificate.HasPrivateKey);
        }

        return own is { HasPrivateKey: true }
            ? SslStreamCertificateContext.Create(own, chain, offline: true)
            : throw new CryptographicException();
    }

    private static string Text(string file) =>
        new FileInfo(file).Length <= MaxBytes ? File.ReadAllText(file) : throw new CryptographicException();
}
