using System.Security.Cryptography;
using System.Text;

namespace Governance.Audit.Engine;

/// <summary>
/// A leaf salt under the keys of the subjects whose entry it is. Layout: 1 (version) ‖ count of subjects ‖ for each its length
/// (1 byte) and UTF-8 pseudonym ‖ leaf data (32) ‖ the salt, sealed under the first key, that under the second ‖ seal of the
/// entry (32). Longer than the 32 bytes of a salt in clear, so that the two cannot be mixed up.
/// </summary>
/// <param name="Subjects">Pseudonyms, in the order of sealing; one or two.</param>
/// <param name="LeafData">SHA-256(salt ‖ canonical entry), which is public.</param>
/// <param name="Box">The sealed salt.</param>
internal sealed record SealedSalt(IReadOnlyList<string> Subjects, byte[] LeafData, byte[] Box)
{
    public const int MaxSubjects = 2;
    public const int MaxSubjectLength = byte.MaxValue;
    private const byte Version = 1;
    private const int HashSize = 32;

    /// <summary>
    /// The stored form. Its last 32 bytes, HMAC-SHA-256 over what stands before and the entry, bind the text to its leaf also
    /// when nobody can read the salt any more.
    /// </summary>
    public byte[] Pack(ReadOnlySpan<byte> macKey, string canonical)
    {
        var packed = new List<byte>(2 + HashSize + Box.Length + HashSize + (Subjects.Count * 40))
        {
            Version,
            (byte)Subjects.Count,
        };
        foreach (var subject in Subjects)
        {
            var name = Encoding.UTF8.GetBytes(subject);
            packed.Add(checked((byte)name.Length));
            packed.AddRange(name);
        }

        packed.AddRange(LeafData);
        packed.AddRange(Box);
        byte[] head = [.. packed];
        return [.. head, .. Mac(macKey, head, canonical)];
    }

    /// <summary>Reads the stored form; null when it is none, or was not made for this entry by this gateway.</summary>
    public static SealedSalt? Unpack(ReadOnlySpan<byte> stored, ReadOnlySpan<byte> macKey, string canonical)
    {
        if (
            stored.Length < 2 + HashSize + HashSize
            || stored[0] != Version
            || stored[1] is 0 or > MaxSubjects
            || !CryptographicOperations.FixedTimeEquals(
                Mac(macKey, stored[..^HashSize], canonical),
                stored[^HashSize..]
            )
        )
        {
            return null;
        }

        // What is sealed by the gateway has the lengths that it gave it.
        var subjects = new List<string>(stored[1]);
        var rest = stored[2..^HashSize];
        for (var left = stored[1]; left > 0; left--)
        {
            subjects.Add(Encoding.UTF8.GetString(rest.Slice(1, rest[0])));
            rest = rest[(1 + rest[0])..];
        }

        return new SealedSalt(subjects, [.. rest[..HashSize]], [.. rest[HashSize..]]);
    }

    private static byte[] Mac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> head, string canonical)
    {
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        mac.AppendData(head);
        mac.AppendData(Encoding.UTF8.GetBytes(canonical));
        return mac.GetHashAndReset();
    }
}
