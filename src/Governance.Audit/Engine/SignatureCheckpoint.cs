using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Governance.Kernel;

namespace Governance.Audit.Engine;

/// <summary>
/// A checkpoint as Rekor v1 writes it: the origin is "name - tree id", and the log's own line, ECDSA P-256, is the only
/// signature. Verifiers of that dialect refuse any other line.
/// </summary>
internal sealed record SignatureCheckpoint(string Name, long Size, byte[] Root)
{
    private const int MaxLength = 4096;
    private const string Separator = " - ";

    /// <summary>Tree id of another's log; ours is made from its key.</summary>
    private long? Tree { get; init; }

    public string Sign(ECDsa key)
    {
        var spki = key.ExportSubjectPublicKeyInfo();
        return Note(spki, EcdsaP256.Sign(key, Encoding.UTF8.GetBytes(Text(spki))));
    }

    /// <summary>
    /// Reads a checkpoint of the log with this name and key; null when anything is off, one byte of spelling included. Another's
    /// log may have given its tree any id.
    /// </summary>
    public static SignatureCheckpoint? Open(string note, string name, ReadOnlySpan<byte> spki, bool anyTree = false)
    {
        var lines = note.Length <= MaxLength ? note.Split('\n') : [];
        if (
            lines.Length != 6
            || !long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            || StrictBase64.TryDecode(lines[2]) is not { Length: SHA256.HashSizeInBytes } root
            || StrictBase64.TryDecode(lines[4].Split(' ')[^1]) is not { Length: > 4 } value
        )
        {
            return null;
        }

        long? tree =
            anyTree
            && long.TryParse(
                lines[0].Split(Separator)[^1],
                NumberStyles.None,
                CultureInfo.InvariantCulture,
                out var other
            )
                ? other
                : null;
        var checkpoint = new SignatureCheckpoint(name, size, root) { Tree = tree };
        return
            checkpoint.Note(spki, value[4..]) == note
            && EcdsaP256.Verify(spki, Encoding.UTF8.GetBytes(checkpoint.Text(spki)), value.AsSpan(4))
            ? checkpoint
            : null;
    }

    private string Text(ReadOnlySpan<byte> spki)
    {
        var tree = Tree ?? BinaryPrimitives.ReadInt64BigEndian(SHA256.HashData(spki)) & long.MaxValue;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Name}{Separator}{tree}\n{Size}\n{Convert.ToBase64String(Root)}\n"
        );
    }

    private string Note(ReadOnlySpan<byte> spki, byte[] signature) =>
        $"{Text(spki)}\n\u2014 {Name} {Convert.ToBase64String([.. SHA256.HashData(spki)[..4], .. signature])}\n";
}
