using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using NSec.Cryptography;

namespace Governance.Audit.Engine;

/// <summary>
/// What a witness signs (C2SP tlog-cosignature, <c>cosignature/v1</c>): the text of a checkpoint and the second at which this
/// was the largest tree it had seen of the log. The signature is the time, eight bytes, and Ed25519 over both.
/// </summary>
internal static class Cosignature
{
    private const int TimeLength = sizeof(long);

    /// <summary>The line of a witness over the text of a checkpoint.</summary>
    public static NoteLine Sign(string text, long unixSeconds, NoteKey name, Key key)
    {
        var signature = new byte[TimeLength + SignatureAlgorithm.Ed25519.SignatureSize];
        BinaryPrimitives.WriteInt64BigEndian(signature, unixSeconds);
        SignatureAlgorithm.Ed25519.Sign(
            key,
            Message(unixSeconds, Encoding.UTF8.GetBytes(text)),
            signature.AsSpan(TimeLength)
        );
        return new NoteLine(name.Name, name.KeyHash, signature);
    }

    public static bool Verify(PublicKey key, byte[] text, ReadOnlySpan<byte> signature) =>
        signature.Length == TimeLength + SignatureAlgorithm.Ed25519.SignatureSize
        && SecondsOf(signature) is > 0 and var seconds
        && SignatureAlgorithm.Ed25519.Verify(key, Message(seconds, text), signature[TimeLength..]);

    /// <summary>When a cosignature that verified was made, seconds since 1970.</summary>
    public static long SecondsOf(ReadOnlySpan<byte> signature) => BinaryPrimitives.ReadInt64BigEndian(signature);

    private static byte[] Message(long unixSeconds, byte[] text) =>
        [
            .. Encoding.UTF8.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {unixSeconds}\n")
            ),
            .. text,
        ];
}
