using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Governance.ArchitectureTests;

/// <summary>
/// Which algorithms the modules use, and where, read from their assemblies. Another one needs a line here, and so a review. What
/// packages use inside (TLS, tokens, the hasher of passwords) is not seen; the command line is not either.
/// </summary>
public sealed class CryptographyTests
{
    private static readonly string[] Reviewed =
    [
        "AesGcm: Platform Privacy",
        "ECDsa: Audit Gateway Identity Kernel Platform Policy Signing",
        "Ed25519: Audit", // .NET has none; NSec, which is libsodium
        "HKDF: Identity Platform",
        "HMACSHA1: Identity", // codes of authenticator apps (RFC 6238), many of which know nothing else
        "HMACSHA256: Identity Platform Privacy",
        "IncrementalHash: Audit Platform Privacy Scanning Signing",
        "MD5: Privacy", // finds hashed identifiers in tables and protects nothing
        "RSA: Gateway Identity", // certificates and keys of others
        "RandomNumberGenerator: Audit Gateway Identity Platform Privacy Registry Signing",
        "SHA1: Privacy", // as MD5
        "SHA256: Audit Gateway Identity Kernel Platform Privacy Registry Sbom Signing",
        "SignatureAlgorithm: Audit",
    ];

    private static readonly string[] ReviewedChoices =
    [
        "HashAlgorithmName.SHA256",
        "HashAlgorithmName.SHA384",
        "NamedCurves.nistP256",
        "NamedCurves.nistP384",
        "RSASignaturePadding.Pss",
        "SignatureAlgorithm.Ed25519",
    ];

    // Values, files and errors around algorithms; none of them is one.
    private static readonly string[] Around =
    [
        "Algorithm",
        "AsnEncodedData",
        "AsymmetricAlgorithm",
        "CryptographicAttributeObjectCollection",
        "CryptographicException",
        "CryptographicOperations",
        "DSASignatureFormat",
        "ECAlgorithm",
        "ECCurve",
        "ECParameters",
        "ECPoint",
        "HashAlgorithmName",
        "Key",
        "KeyBlobFormat",
        "KeyCreationParameters",
        "KeyExportPolicies",
        "KeySizes",
        "Oid",
        "OidCollection",
        "PemEncoding",
        "PemFields",
        "PublicKey",
        "RSAParameters",
        "RSASignaturePadding",
    ];

    private static readonly string[] Assemblies =
    [
        .. Directory
            .EnumerateFiles(AppContext.BaseDirectory, "Governance.*.dll")
            .Where(path => !path.EndsWith("Tests.dll", StringComparison.Ordinal))
            .Order(),
    ];

    [Fact]
    public void Only_reviewed_algorithms_are_used()
    {
        var used =
            from path in Assemblies
            from name in Read(path, Algorithms)
            group Path.GetFileNameWithoutExtension(path)["Governance.".Length..] by name into modules
            orderby modules.Key
            select $"{modules.Key}: {string.Join(' ', modules)}";

        Assert.True(Assemblies.Length > 10);
        Assert.Equal(Reviewed.Order(), used.Order());
    }

    [Fact]
    public void Only_reviewed_hashes_curves_and_paddings_are_chosen() =>
        Assert.Equal(ReviewedChoices, Assemblies.SelectMany(path => Read(path, Choices)).Distinct().Order());

    private static List<string> Read(string path, Func<MetadataReader, IEnumerable<string>> read)
    {
        using var file = new PEReader(File.OpenRead(path));
        return [.. read(file.GetMetadataReader()).Distinct()];
    }

    private static IEnumerable<string> Algorithms(MetadataReader metadata) =>
        from handle in metadata.TypeReferences
        let type = metadata.GetTypeReference(handle)
        let space = metadata.GetString(type.Namespace)
        let name = metadata.GetString(type.Name)
        where space.Contains("Crypto", StringComparison.Ordinal) || (space, name) is ("System", "Random")
        where
            !space.StartsWith("System.Security.Cryptography.X509Certificates", StringComparison.Ordinal)
            && !space.StartsWith("System.Security.Cryptography.Pkcs", StringComparison.Ordinal)
            && !Around.Contains(name)
        select name;

    private static IEnumerable<string> Choices(MetadataReader metadata) =>
        from handle in metadata.MemberReferences
        let member = metadata.GetMemberReference(handle)
        where member.Parent.Kind == HandleKind.TypeReference
        let type = metadata.GetString(metadata.GetTypeReference((TypeReferenceHandle)member.Parent).Name)
        where type is "HashAlgorithmName" or "NamedCurves" or "RSASignaturePadding" or "SignatureAlgorithm"
        let name = metadata.GetString(member.Name)
        where
            name.StartsWith("get_", StringComparison.Ordinal)
            && !name.EndsWith("Size", StringComparison.Ordinal)
            && name != "get_Name"
        select $"{type}.{name["get_".Length..]}";
}
