using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Governance.Kernel;
using NSec.Cryptography;

namespace Governance.Audit.Engine;

/// <summary>
/// The public half of a key that signs notes (C2SP signed-note, Ed25519): <c>name+hash+base64(type ‖ key)</c>. The type says
/// what its signatures are over: the text, or a cosignature with its time.
/// </summary>
internal sealed class NoteKey
{
    /// <summary>Signs the text.</summary>
    public const byte Ed25519 = 1;

    /// <summary>Signs a text together with a time, as a witness does: <see cref="Cosignature"/>.</summary>
    public const byte Witness = 4;

    private readonly PublicKey _key;
    private readonly byte _type;

    private NoteKey(string name, PublicKey key, byte type)
    {
        _key = key;
        _type = type;
        Name = name;
        KeyHash = SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', .. TypedKey])[..4];
    }

    public string Name { get; }

    public byte[] KeyHash { get; }

    public byte[] RawKey => _key.Export(KeyBlobFormat.RawPublicKey);

    public string VerifierKey =>
        $"{Name}+{BinaryPrimitives.ReadUInt32BigEndian(KeyHash).ToString("x8", CultureInfo.InvariantCulture)}+{Convert.ToBase64String(TypedKey)}";

    private byte[] TypedKey => [_type, .. RawKey];

    public static NoteKey Create(string name, PublicKey key, byte type = Ed25519) =>
        IsName(name) ? new NoteKey(name, key, type) : throw new ArgumentException("Not a note key name.", nameof(name));

    /// <summary>Parses a verifier key of this type; null unless it is whole and its hash is that of its key.</summary>
    public static NoteKey? TryParse(string verifierKey, byte type = Ed25519)
    {
        var parts = verifierKey.Split('+', 3);
        if (
            parts.Length != 3
            || !IsName(parts[0])
            || StrictBase64.TryDecode(parts[2]) is not { Length: 33 } typed
            || typed[0] != type
            || !PublicKey.TryImport(
                SignatureAlgorithm.Ed25519,
                typed.AsSpan(1),
                KeyBlobFormat.RawPublicKey,
                out var imported
            )
        )
        {
            return null;
        }

        var key = new NoteKey(parts[0], imported!, type);
        return key.VerifierKey == verifierKey ? key : null;
    }

    /// <summary>Whether a line says that it is this key's; only such a line is worth verifying.</summary>
    public bool Names(NoteLine line) => line.Name == Name && line.KeyHash.AsSpan().SequenceEqual(KeyHash);

    public bool Verify(byte[] text, ReadOnlySpan<byte> signature) =>
        _type == Witness
            ? Cosignature.Verify(_key, text, signature)
            : signature.Length == SignatureAlgorithm.Ed25519.SignatureSize
                && SignatureAlgorithm.Ed25519.Verify(_key, text, signature);

    public static bool IsName(string name) =>
        name.Length is > 0 and <= 255 && !name.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || c == '+');
}
