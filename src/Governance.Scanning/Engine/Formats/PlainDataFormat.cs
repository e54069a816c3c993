using System.Text;

namespace Governance.Scanning.Engine.Formats;

/// <summary>Kinds of file that hold data only: text and well-known binary formats that no loader executes.</summary>
internal sealed class PlainDataFormat : IFormat
{
    private static readonly byte[][] Known =
    [
        [.. "PAR1"u8],
        [.. "ARROW1"u8],
        [.. "CBM1"u8],
        [.. "binf"u8],
        [.. "OggS"u8],
        [.. "RIFF"u8],
        [.. "GIF8"u8],
        [.. "SQLite format 3\0"u8],
        [0x89, 0x50, 0x4e, 0x47],
        [0xff, 0xd8, 0xff],
    ];

    public bool Scan(ScanItem item, ScanRun run) =>
        item.Content.Length == 0
        || Array.Exists(Known, signature => item.StartsWith(signature))
        || item.StartsWith("TFL3"u8, 4)
        || item.HasExtension(".ubj")
        || item.Name.Contains(".data-0000", StringComparison.Ordinal)
        || IsText(item);

    // Text at the front is enough here: executable text is judged by name, signature and by the pickle format.
    private static bool IsText(ScanItem item)
    {
        if (
            item.Head.AsSpan().ContainsAnyInRange((byte)0, (byte)8)
            || item.Head.AsSpan().ContainsAnyInRange((byte)14, (byte)26)
        )
        {
            return false;
        }

        // A character may be cut at the end of the head.
        var text = Encoding.UTF8.GetString(item.Head);
        var bad = text.IndexOf('\uFFFD', StringComparison.Ordinal);
        return bad < 0 || (bad >= text.Length - 3 && item.Content.Length > item.Head.Length);
    }
}
