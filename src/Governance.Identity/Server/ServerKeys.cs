using System.Security.Cryptography;
using Governance.Platform;
using Governance.Platform.Blobs;
using Governance.Platform.Keys;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;

namespace Governance.Identity.Server;

/// <summary>The issuer's keys, made on first use and stored wrapped under <c>&lt;data&gt;/keys</c>: ECDSA P-256 for tokens, AES-256 for codes.</summary>
internal sealed class ServerKeys : IDisposable
{
    private const int MaxFile = 4096;
    private readonly ECDsa _signing;

    public ServerKeys(IKeyWrap wrap, PlatformOptions platform)
    {
        Directory = Path.Combine(platform.DataDirectory, "keys");
        System.IO.Directory.CreateDirectory(Directory);
        _signing = ECDsa.Create();
        var signing = LoadOrCreate(wrap, "oidc-signing", NewSigningKey);
        _signing.ImportPkcs8PrivateKey(signing, out _);
        CryptographicOperations.ZeroMemory(signing);
        var encryption = LoadOrCreate(wrap, "oidc-encryption", () => RandomNumberGenerator.GetBytes(32));

        var thumbprint = SHA256.HashData(_signing.ExportSubjectPublicKeyInfo());
        Signing = new ECDsaSecurityKey(_signing) { KeyId = Base64UrlEncoder.Encode(thumbprint[..16]) };
        Encryption = new SymmetricSecurityKey(encryption);
    }

    public string Directory { get; }

    public ECDsaSecurityKey Signing { get; }

    public SymmetricSecurityKey Encryption { get; }

    public void Dispose() => _signing.Dispose();

    private static byte[] NewSigningKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return key.ExportPkcs8PrivateKey();
    }

    private byte[] LoadOrCreate(IKeyWrap wrap, string name, Func<byte[]> create)
    {
        var path = Path.Combine(Directory, name + ".key");
        if (!File.Exists(path))
        {
            var made = create();
            DurableFile.WriteSecret(path, wrap.Wrap(made, name));
            CryptographicOperations.ZeroMemory(made);
        }

        // Read back even when just made: what is used is what the next start will find.
        return wrap.Unwrap(Read(path), name);
    }

    private static byte[] Read(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        var bytes = new byte[file.Length is > 0 and <= MaxFile ? (int)file.Length : 0];
        file.ReadExactly(bytes);
        return bytes;
    }
}
