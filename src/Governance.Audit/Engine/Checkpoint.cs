using System.Globalization;
using System.Security.Cryptography;
using Governance.Kernel;
using NSec.Cryptography;

namespace Governance.Audit.Engine;

/// <summary>What a C2SP tlog-checkpoint says: origin, tree size and root hash.</summary>
internal sealed record Checkpoint(string Origin, long Size, byte[] Root)
{
    public string Sign(NoteKey name, Key key) =>
        SignedNote.Sign(
            $"{Origin}\n{Size.ToString(CultureInfo.InvariantCulture)}\n{Convert.ToBase64String(Root)}\n",
            name,
            key
        );

    /// <summary>Reads a checkpoint signed by the key, whose name must be the origin; null when anything is off.</summary>
    public static Checkpoint? Open(string note, NoteKey key)
    {
        var lines = SignedNote.Open(note, key)?.Split('\n');
        if (
            lines is not { Length: >= 4 }
            || lines[0] != key.Name
            || !long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            || size.ToString(CultureInfo.InvariantCulture) != lines[1]
            || StrictBase64.TryDecode(lines[2]) is not { Length: SHA256.HashSizeInBytes } root
        )
        {
            return null;
        }

        return new Checkpoint(lines[0], size, root);
    }
}
