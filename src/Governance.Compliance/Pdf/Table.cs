using Governance.Compliance.Contracts;
using SkiaSharp;

namespace Governance.Compliance.Pdf;

/// <summary>A cell: runs of text below one another, or a state.</summary>
internal sealed record Cell(params (string Text, TextStyle Style)[] Runs)
{
    public ControlState? State { get; init; }

    public static Cell Of(string text) => new((text, TextStyle.Small));

    public static Cell Of(ControlState state) => new() { State = state };
}

/// <summary>A table whose header stands again on each page and whose rows are kept together.</summary>
internal sealed class Table(PageFlow flow, params (string Title, float Width)[] columns)
{
    private const float Padding = 4;
    private bool _headed;

    public void Row(params Cell[] cells)
    {
        var lines = cells.Select((cell, i) => Lines(cell, columns[i].Width - 2 * Padding)).ToList();
        var height = Math.Min(
            lines.Max(cell => cell.Sum(line => line.Style.LineHeight)) + 2 * Padding,
            Page.Bottom - Page.Top - 30
        );
        if (flow.Need(height + (_headed ? 0 : 22)) || !_headed)
        {
            Header();
        }

        var (top, left) = (flow.Y, Page.Left);
        for (var i = 0; i < cells.Length; i++)
        {
            if (cells[i].State is { } state)
            {
                StateMark.Draw(flow, state, left + Padding, top + Padding);
            }

            var y = top + Padding;
            foreach (var line in lines[i])
            {
                // A row taller than a page is cut: nothing that the report itself writes is that long.
                if (y + line.Style.LineHeight > top + height)
                {
                    break;
                }

                flow.Text(line.Text, left + Padding, y, line.Style);
                y += line.Style.LineHeight;
            }

            left += columns[i].Width;
        }

        var bottom = top + height;
        flow.Draw(canvas =>
        {
            using var paint = new SKPaint { Color = Page.Line, StrokeWidth = 0.6f };
            canvas.DrawLine(Page.Left, bottom, Page.Right, bottom, paint);
        });
        flow.Advance(height);
    }

    private void Header()
    {
        _headed = true;
        var top = flow.Y;
        flow.Draw(canvas =>
        {
            using var paint = new SKPaint { Color = Page.Accent };
            canvas.DrawRect(Page.Left, top, Page.Right - Page.Left, 18, paint);
        });
        var left = Page.Left;
        foreach (var (title, width) in columns)
        {
            flow.Text(title, left + Padding, top + 4, TextStyle.SmallStrong with { Color = SKColors.White });
            left += width;
        }

        flow.Advance(20);
    }

    private static List<TextLine> Lines(Cell cell, float width) =>
        cell.State is null
            ?
            [
                .. cell.Runs.SelectMany(run =>
                    PageFlow.Wrap(run.Text, run.Style, width).Select(line => new TextLine(line, run.Style))
                ),
            ]
            : [new TextLine("", TextStyle.Small)];
}

/// <summary>A state as shape, colour and word, so that none of them is needed alone.</summary>
internal static class StateMark
{
    public static SKColor ColorOf(ControlState state) =>
        state switch
        {
            ControlState.Met => Page.Good,
            ControlState.Gap => Page.Bad,
            _ => Page.Open,
        };

    public static string WordOf(ControlState state) =>
        state switch
        {
            ControlState.Met => "Met",
            ControlState.Gap => "Gap",
            _ => "Not evidenced",
        };

    public static void Draw(PageFlow flow, ControlState state, float left, float top)
    {
        flow.Draw(canvas => Shape(canvas, state, left + 4, top + 5.4f, 3.8f));
        flow.Text(WordOf(state), left + 12, top, TextStyle.SmallStrong with { Color = ColorOf(state) });
    }

    /// <summary>Disc for met, triangle for gap, ring for not evidenced.</summary>
    public static void Shape(SKCanvas canvas, ControlState state, float x, float y, float radius)
    {
        using var paint = new SKPaint { Color = ColorOf(state), IsAntialias = true };
        if (state == ControlState.Gap)
        {
            using var outline = new SKPathBuilder();
            outline.MoveTo(x, y - radius);
            outline.LineTo(x + radius, y + radius * 0.85f);
            outline.LineTo(x - radius, y + radius * 0.85f);
            outline.Close();
            using var path = outline.Detach();
            canvas.DrawPath(path, paint);
            return;
        }

        paint.IsStroke = state == ControlState.NotEvidenced;
        paint.StrokeWidth = 1.3f;
        canvas.DrawCircle(x, y, state == ControlState.NotEvidenced ? radius - 0.6f : radius, paint);
    }
}
