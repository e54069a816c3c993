using Governance.Compliance.Engine;
using SkiaSharp;

namespace Governance.Compliance.Pdf;

/// <summary>
/// Places blocks from top to bottom over pages. Drawing is recorded per page and played back at the end, when the number of
/// pages is known.
/// </summary>
internal sealed class PageFlow
{
    private readonly List<List<Action<SKCanvas>>> _pages =
    [
        [],
    ];

    public float Y { get; private set; } = Page.Top;

    public IReadOnlyList<IReadOnlyList<Action<SKCanvas>>> Pages => _pages;

    public void Draw(Action<SKCanvas> draw) => _pages[^1].Add(draw);

    public void Space(float height) => Y = Math.Min(Y + height, Page.Bottom);

    public void NewPage()
    {
        _pages.Add([]);
        Y = Page.Top;
    }

    /// <summary>Breaks the page unless this much fits; true when it broke.</summary>
    public bool Need(float height)
    {
        if (Y + height <= Page.Bottom)
        {
            return false;
        }

        NewPage();
        return true;
    }

    public void Paragraph(string text, TextStyle style, float left = Page.Left, float right = Page.Right)
    {
        foreach (var line in Wrap(text, style, right - left))
        {
            Need(style.LineHeight);
            Text(line, left, Y, style);
            Y += style.LineHeight;
        }
    }

    public void Heading(string text)
    {
        Space(14);
        Need(70);
        Paragraph(text, TextStyle.Heading);
        Space(4);
    }

    /// <summary>A label with its value beside it.</summary>
    public void Fact(string label, string value, float valueLeft = Page.Left + 104)
    {
        var lines = Wrap(value, TextStyle.Body, Page.Right - valueLeft);
        Need(lines.Count * TextStyle.Body.LineHeight + 2);
        Text(label, Page.Left, Y, TextStyle.Label);
        foreach (var line in lines)
        {
            Text(line, valueLeft, Y, TextStyle.Body);
            Y += TextStyle.Body.LineHeight;
        }

        Y += 2;
    }

    /// <summary>Takes up height that the caller drew into.</summary>
    public void Advance(float height) => Y += height;

    /// <summary>Draws one line; <paramref name="top"/> is the top of its box.</summary>
    public void Text(string text, float left, float top, TextStyle style) =>
        Draw(canvas => TextOn(canvas, text, left, top, style, SKTextAlign.Left));

    public static void TextOn(SKCanvas canvas, string text, float x, float top, TextStyle style, SKTextAlign align)
    {
        using var font = style.Font();
        using var paint = new SKPaint { Color = style.Color, IsAntialias = true };
        canvas.DrawText(text, x, top + style.Size, align, font, paint);
    }

    public static float Measure(string text, TextStyle style)
    {
        using var font = style.Font();
        return font.MeasureText(text);
    }

    /// <summary>Breaks text into lines, at spaces where there are any; invisible and undrawable characters are shown as codes.</summary>
    public static List<string> Wrap(string text, TextStyle style, float width)
    {
        using var font = style.Font();
        var lines = new List<string>();
        var line = "";
        foreach (var word in VisibleText.Of(text, Page.CanDraw).Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var candidate = line.Length == 0 ? word : line + " " + word;
            if (font.MeasureText(candidate) <= width)
            {
                line = candidate;
                continue;
            }

            if (line.Length > 0)
            {
                lines.Add(line);
            }

            line = word;
            while (font.MeasureText(line) > width)
            {
                var fits = Fitting(font, line, width);
                lines.Add(line[..fits]);
                line = line[fits..];
            }
        }

        if (line.Length > 0 || lines.Count == 0)
        {
            lines.Add(line);
        }

        return lines;
    }

    // Longest prefix that fits, at least one character, never half a surrogate pair.
    private static int Fitting(SKFont font, string text, float width)
    {
        var (low, high) = (1, text.Length);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = font.MeasureText(text[..middle]) <= width ? (middle, high) : (low, middle - 1);
        }

        return low < text.Length && char.IsLowSurrogate(text[low]) ? Math.Max(low - 1, 2) : low;
    }
}
