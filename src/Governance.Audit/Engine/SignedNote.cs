using System.Text;
using Governance.Kernel;
using NSec.Cryptography;

namespace Governance.Audit.Engine;

/// <summary>Text with signature lines, C2SP signed-note: the signed bytes are the text up to and including its last newline.</summary>
internal static class SignedNote
{
    private const int MaxLength = 64 * 1024;
    private const int MaxSignatures = 16;
    private const string Dash = "\u2014 ";

    /// <summary>Signs a text that ends in a newline.</summary>
    public static string Sign(string text, NoteKey name, Key key)
    {
        var signature = SignatureAlgorithm.Ed25519.Sign(key, Encoding.UTF8.GetBytes(text));
        return $"{text}\n{Dash}{name.Name} {Convert.ToBase64String([.. name.KeyHash, .. signature])}\n";
    }

    /// <summary>
    /// The text when the note is well-formed and this key signed it; null otherwise. Lines of other keys (witnesses) are
    /// allowed and prove nothing here; a wrong line under this key's own name and hash is refused.
    /// </summary>
    public static string? Open(string note, NoteKey key)
    {
        var blank = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (note.Length > MaxLength || blank < 0 || note[^1] != '\n' || note.Any(c => c != '\n' && char.IsControl(c)))
        {
            return null;
        }

        var text = note[..(blank + 1)];
        var lines = note[(blank + 2)..].Split('\n');
        if (lines.Length - 1 is < 1 or > MaxSignatures)
        {
            return null;
        }

        var bytes = Encoding.UTF8.GetBytes(text);
        var found = false;
        foreach (var line in lines[..^1])
        {
            var parts = line.StartsWith(Dash, StringComparison.Ordinal) ? line[Dash.Length..].Split(' ') : [];
            if (
                parts.Length != 2
                || !NoteKey.IsName(parts[0])
                || StrictBase64.TryDecode(parts[1]) is not { Length: > 4 } value
            )
            {
                return null;
            }

            if (parts[0] != key.Name || !value.AsSpan(0, 4).SequenceEqual(key.KeyHash))
            {
                continue;
            }

            if (found || !key.Verify(bytes, value.AsSpan(4)))
            {
                return null;
            }

            found = true;
        }

        return found ? text : null;
    }
}
