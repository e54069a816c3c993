using System.Globalization;
using System.Security.Cryptography;
using Governance.Kernel;
using NSec.Cryptography;

namespace Governance.Audit.Engine;

/// <summary>What a C2SP tlog-checkpoint says: origin, tree size and root hash.</summary>
internal sealed record Checkpoint(string Origin, long Size, byte[] Root)
{
    /// <summary>The text that is signed.</summary>
    public string Text => $"{Origin}\n{Size.ToString(CultureInfo.InvariantCulture)}\n{Convert.ToBase64String(Root)}\n";

    public string Sign(NoteKey name, Key key) => SignedNote.Sign(Text, name, key);

    /// <summary>Reads a checkpoint signed by the key, whose name must be the origin; null when anything is off.</summary>
    public static Checkpoint? Open(string note, NoteKey key) =>
        SignedNote.Open(note, key) is { } text && TryParse(text) is { } checkpoint && checkpoint.Origin == key.Name
            ? checkpoint
            : null;

    /// <summary>Reads the text of a checkpoint, extension lines allowed; null when it is malformed. Nothing is verified.</summary>
    public static Checkpoint? TryParse(string text)
    {
        var lines = text.Split('\n');
        if (
            lines.Length < 4
            || lines[..^1].Any(line => line.Length == 0)
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
