using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Governance.Kernel;
using NSec.Cryptography;

namespace Governance.Audit.Engine;

/// <summary>The public half of a key that signs notes (C2SP signed-note, Ed25519): <c>name+hash+base64(0x01 ‖ key)</c>.</summary>
internal sealed class NoteKey
{
    private const byte Ed25519Type = 1;
    private readonly PublicKey _key;

    private NoteKey(string name, PublicKey key)
    {
        _key = key;
        Name = name;
        KeyHash = SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', .. TypedKey])[..4];
    }

    public string Name { get; }

    public byte[] KeyHash { get; }

    public byte[] RawKey => _key.Export(KeyBlobFormat.RawPublicKey);

    public string VerifierKey =>
        $"{Name}+{BinaryPrimitives.ReadUInt32BigEndian(KeyHash).ToString("x8", CultureInfo.InvariantCulture)}+{Convert.ToBase64String(TypedKey)}";

    private byte[] TypedKey => [Ed25519Type, .. RawKey];

    public static NoteKey Create(string name, PublicKey key) =>
        IsName(name) ? new NoteKey(name, key) : throw new ArgumentException("Not a note key name.", nameof(name));

    /// <summary>Parses a verifier key; null unless it is whole and its hash is that of its key.</summary>
    public static NoteKey? TryParse(string verifierKey)
    {
        var parts = verifierKey.Split('+', 3);
        if (
            parts.Length != 3
            || !IsName(parts[0])
            || StrictBase64.TryDecode(parts[2]) is not { Length: 33 } typed
            || typed[0] != Ed25519Type
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

        var key = new NoteKey(parts[0], imported!);
        return key.VerifierKey == verifierKey ? key : null;
    }

    public bool Verify(byte[] text, ReadOnlySpan<byte> signature) =>
        signature.Length == SignatureAlgorithm.Ed25519.SignatureSize
        && SignatureAlgorithm.Ed25519.Verify(_key, text, signature);

    public static bool IsName(string name) =>
        name.Length is > 0 and <= 255 && !name.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || c == '+');
}
