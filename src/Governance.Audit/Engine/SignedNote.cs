using System.Text;
using Governance.Kernel;
using NSec.Cryptography;

namespace Governance.Audit.Engine;

/// <summary>A signature line of a note: whose it says it is, and what it says.</summary>
internal sealed record NoteLine(string Name, byte[] KeyHash, byte[] Signature)
{
    public override string ToString() =>
        $"{SignedNote.Dash}{Name} {Convert.ToBase64String([.. KeyHash, .. Signature])}\n";
}

/// <summary>Text with signature lines, C2SP signed-note: the signed bytes are the text up to and including its last newline.</summary>
internal sealed class SignedNote
{
    public const string Dash = "\u2014 ";
    private const int MaxLength = 64 * 1024;
    private const int MaxSignatures = 32;

    private SignedNote(string text, IReadOnlyList<NoteLine> lines) => (Text, Lines) = (text, lines);

    public string Text { get; }

    public IReadOnlyList<NoteLine> Lines { get; }

    /// <summary>Signs a text that ends in a newline.</summary>
    public static string Sign(string text, NoteKey name, Key key)
    {
        var signature = SignatureAlgorithm.Ed25519.Sign(key, Encoding.UTF8.GetBytes(text));
        return $"{text}\n{new NoteLine(name.Name, name.KeyHash, signature)}";
    }

    /// <summary>The parts of a well-formed note; null for anything else. Nothing is verified.</summary>
    public static SignedNote? TryParse(string note)
    {
        var blank = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (note.Length > MaxLength || blank < 0 || note[^1] != '\n' || note.Any(c => c != '\n' && char.IsControl(c)))
        {
            return null;
        }

        var lines = TryParseLines(note[(blank + 2)..]);
        return lines is null ? null : new SignedNote(note[..(blank + 1)], lines);
    }

    /// <summary>Signature lines without a text, as a witness answers them; null unless every one is well-formed.</summary>
    public static IReadOnlyList<NoteLine>? TryParseLines(string text)
    {
        var lines = text.Split('\n');
        if (lines.Length - 1 is < 1 or > MaxSignatures || lines[^1].Length > 0)
        {
            return null;
        }

        var parsed = new List<NoteLine>();
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

            parsed.Add(new NoteLine(parts[0], value[..4], value[4..]));
        }

        return parsed;
    }

    /// <summary>
    /// The text when the note is well-formed and this key signed it; null otherwise. Lines of other keys (witnesses) are
    /// allowed and prove nothing here; a wrong line under this key's own name and hash is refused.
    /// </summary>
    public static string? Open(string note, NoteKey key) =>
        TryParse(note) is { } parsed && parsed.SignatureOf(key) is not null ? parsed.Text : null;

    /// <summary>The same text under other lines.</summary>
    public SignedNote With(IReadOnlyList<NoteLine> lines) => new(Text, lines);

    /// <summary>The key's own line when there is exactly one and it verifies; null otherwise.</summary>
    public NoteLine? SignatureOf(NoteKey key)
    {
        var own = Lines.Where(key.Names).ToList();
        return own is [var line] && key.Verify(Encoding.UTF8.GetBytes(Text), line.Signature) ? line : null;
    }
}
