using SkiaSharp;

namespace Governance.Compliance.Pdf;

/// <summary>Sizes in points, colours and fonts of the report.</summary>
internal static class Page
{
    public const float Width = 595.28f;
    public const float Height = 841.89f;
    public const float Left = 42;
    public const float Right = Width - 42;
    public const float Top = 62;
    public const float Bottom = Height - 54;

    public static readonly SKColor Ink = new(0x1b, 0x1f, 0x24);
    public static readonly SKColor Soft = new(0x57, 0x60, 0x6a);
    public static readonly SKColor Line = new(0xd0, 0xd7, 0xde);
    public static readonly SKColor Shade = new(0xf3, 0xf5, 0xf7);
    public static readonly SKColor Accent = new(0x1f, 0x3a, 0x5f);
    public static readonly SKColor Good = new(0x1a, 0x6b, 0x36);
    public static readonly SKColor Bad = new(0xb0, 0x24, 0x18);
    public static readonly SKColor Open = new(0x6b, 0x5a, 0x12);

    // Shipped with the program: what a machine has installed must not change a report.
    public static readonly SKTypeface Regular = Load("LiberationSans-Regular.ttf");
    public static readonly SKTypeface Bold = Load("LiberationSans-Bold.ttf");

    private static readonly SKFont Probe = new(Regular);

    public static bool CanDraw(int codePoint) => Probe.ContainsGlyph(codePoint);

    private static SKTypeface Load(string name)
    {
        using var stream =
            typeof(Page).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The font {name} isn't embedded.");
        return SKTypeface.FromStream(stream) ?? throw new InvalidOperationException($"The font {name} can't be read.");
    }
}

/// <summary>How a run of text looks.</summary>
/// <param name="Size">Points.</param>
/// <param name="IsBold">Bold or regular.</param>
/// <param name="Color">Colour.</param>
internal sealed record TextStyle(float Size, bool IsBold, SKColor Color)
{
    public static readonly TextStyle Title = new(22, true, Page.Accent);
    public static readonly TextStyle Subtitle = new(11.5f, false, Page.Soft);
    public static readonly TextStyle Heading = new(13, true, Page.Accent);
    public static readonly TextStyle Body = new(9, false, Page.Ink);
    public static readonly TextStyle Strong = new(9, true, Page.Ink);
    public static readonly TextStyle Small = new(8, false, Page.Ink);
    public static readonly TextStyle SmallStrong = new(8, true, Page.Ink);
    public static readonly TextStyle Faint = new(7.5f, false, Page.Soft);
    public static readonly TextStyle Label = new(8, true, Page.Soft);

    public float LineHeight => Size * 1.32f;

    // Widths as the font has them: widths hinted for a screen space the letters of a page unevenly.
    public SKFont Font() =>
        new(IsBold ? Page.Bold : Page.Regular, Size)
        {
            Subpixel = true,
            LinearMetrics = true,
            Hinting = SKFontHinting.None,
        };
}

/// <summary>One line of text, already short enough.</summary>
internal sealed record TextLine(string Text, TextStyle Style);
