using System.Formats.Asn1;
using System.Security.Cryptography;

namespace Governance.Platform.Keys;

/// <summary>
/// Makes the gateway's ECDSA P-256 keys where the settings say, and finds them again. Each has a wrapped file <c>keys/{file}.key</c>:
/// the private key itself (PKCS#8), or provider, reference and public key of one that lies elsewhere. The file decides where a key
/// that was made is, the settings where the next one is made.
/// </summary>
public sealed class PrivateKeys
{
    /// <summary>Keys that lie in their files.</summary>
    public const string InFiles = "file";

    private readonly PlatformOptions _platform;
    private readonly IKeyWrap _wrap;
    private readonly TimeProvider _clock;
    private readonly KeyOptions _options;
    private readonly IReadOnlyList<IKeyProvider> _providers;

    /// <summary>Made by dependency injection.</summary>
    public PrivateKeys(
        PlatformOptions platform,
        IKeyWrap wrap,
        TimeProvider clock,
        KeyOptions options,
        IEnumerable<IKeyProvider> providers
    ) => (_platform, _wrap, _clock, _options, _providers) = (platform, wrap, clock, options, [.. providers]);

    /// <summary>The time at which a key is made, UTC, whole seconds.</summary>
    public DateTimeOffset Now => DateTimeOffset.FromUnixTimeSeconds(_clock.GetUtcNow().ToUnixTimeSeconds());

    /// <summary>Throws <see cref="KeyUnavailableException"/> when a place where keys are to be made cannot be used.</summary>
    public void Check()
    {
        foreach (var name in _options.Chosen.Where(name => name != InFiles))
        {
            Provider(name).Check();
        }
    }

    /// <summary>Reads a key file, or makes it; as <see cref="WrappedKeyFile"/>.</summary>
    /// <param name="file">Its name without <c>.key</c>.</param>
    /// <param name="purpose">What it is for; authenticated.</param>
    /// <param name="content">What to write: a form of <see cref="Make"/>, alone or with what belongs to it.</param>
    public StoredKey LoadOrCreate(string file, string purpose, Func<byte[]> content) =>
        WrappedKeyFile.LoadOrCreate(
            Path.Combine(_platform.DataDirectory, "keys", $"{file}.key"),
            purpose,
            _wrap,
            _clock,
            content
        );

    /// <summary>Makes a key for the task that the name of the file begins with; gives back the form for its file, which the caller zeroes.</summary>
    public byte[] Make(string file)
    {
        ArgumentNullException.ThrowIfNull(file);
        var place = _options.PlaceOf(file.Split('.')[0]);
        if (place == InFiles)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            return key.ExportPkcs8PrivateKey();
        }

        var made = Provider(place).Make($"governance {file}");
        var form = new AsnWriter(AsnEncodingRules.DER);
        using (form.PushSequence())
        {
            form.WriteCharacterString(UniversalTagNumber.UTF8String, place);
            form.WriteCharacterString(UniversalTagNumber.UTF8String, made.Reference);
            form.WriteEncodedValue(made.Spki);
        }

        return form.Encode();
    }

    /// <summary>The key of a form that <see cref="Make"/> gave; a place elsewhere is not asked before the key signs. The caller disposes of it.</summary>
    public HeldKey Open(ReadOnlyMemory<byte> form)
    {
        var content = new AsnReader(form, AsnEncodingRules.DER).ReadSequence();
        if (content.PeekTag() != new Asn1Tag(UniversalTagNumber.UTF8String))
        {
            var key = ECDsa.Create();
            key.ImportPkcs8PrivateKey(form.Span, out _);
            return HeldKey.Of(key);
        }

        var place = content.ReadCharacterString(UniversalTagNumber.UTF8String);
        var reference = content.ReadCharacterString(UniversalTagNumber.UTF8String);
        return HeldKey.At(Provider(place), reference, content.ReadEncodedValue().Span);
    }

    private IKeyProvider Provider(string name) =>
        _providers.FirstOrDefault(provider => provider.Name == name)
        ?? throw new KeyUnavailableException($"A key lies in {name}, which this gateway does not know.");
}
