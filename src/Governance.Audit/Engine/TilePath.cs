using System.Globalization;
using System.Runtime.InteropServices;

namespace Governance.Audit.Engine;

/// <summary>A tile of C2SP tlog-tiles: up to 256 hashes of one eighth level.</summary>
/// <param name="Level">Tile level, 0–7: its hashes are tree nodes of level 8 × Level.</param>
/// <param name="Index">Position of the tile in its level.</param>
/// <param name="Width">Hashes in it, 1–256.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct TilePath(int Level, long Index, int Width)
{
    public const int FullWidth = 256;
    public const int Height = 8;

    /// <summary>Parses <c>{level}</c> and <c>{n…}[.p/{w}]</c>; only the canonical spelling.</summary>
    public static TilePath? TryParse(string level, string rest)
    {
        var parts = rest.Split(".p/", 2);
        var width = FullWidth;
        if (
            !int.TryParse(level, NumberStyles.None, CultureInfo.InvariantCulture, out var parsedLevel)
            || parsedLevel > 7
            || parts[0].Length > 24
            || (
                parts.Length == 2
                && !(
                    int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out width)
                    && width is > 0 and < FullWidth
                )
            )
            || !long.TryParse(
                parts[0].Replace("/", "", StringComparison.Ordinal).Replace("x", "", StringComparison.Ordinal),
                NumberStyles.None,
                CultureInfo.InvariantCulture,
                out var index
            )
        )
        {
            return null;
        }

        var tile = new TilePath(parsedLevel, index, width);
        return tile.ToString() == $"tile/{level}/{rest}" ? tile : null;
    }

    /// <inheritdoc />
    public override string ToString()
    {
        var name = (Index % 1000).ToString("000", CultureInfo.InvariantCulture);
        for (var rest = Index / 1000; rest > 0; rest /= 1000)
        {
            name = $"x{(rest % 1000).ToString("000", CultureInfo.InvariantCulture)}/{name}";
        }

        return Width == FullWidth ? $"tile/{Level}/{name}" : $"tile/{Level}/{name}.p/{Width}";
    }
}
