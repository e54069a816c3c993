using System.Globalization;
using Governance.Compliance.Contracts;
using Governance.Compliance.Engine;
using Governance.Kernel;
using Governance.Privacy.Contracts;
using SkiaSharp;

namespace Governance.Compliance.Pdf;

/// <summary>The report for reading: A4, embedded fonts, no links, scripts or attachments; the file claims PDF/A-2B.</summary>
internal static class ReportPdf
{
    public static byte[] Of(ReportContent content, Digest json)
    {
        var references = content
            .Controls.SelectMany(control => control.Evidence)
            .Distinct(StringComparer.Ordinal)
            .Select((text, i) => (text, Number: i + 1))
            .ToDictionary(pair => pair.text, pair => pair.Number, StringComparer.Ordinal);
        var flow = new PageFlow();
        Front(flow, content, json);
        flow.NewPage();
        Controls(flow, content, references);
        Appendix(flow, content, references);
        return Render(flow, content);
    }

    private static void Front(PageFlow flow, ReportContent content, Digest json)
    {
        flow.Paragraph($"{content.Catalogue.Regulation.ToUpperInvariant()} evidence report", TextStyle.Title);
        flow.Space(2);
        flow.Paragraph(content.Catalogue.Title, TextStyle.Subtitle);
        flow.Space(12);
        flow.Paragraph($"{content.Version.Model}, version {content.Version.Version}", TextStyle.Heading);
        flow.Space(6);
        var version = content.Facts.Version;
        flow.Fact(
            "State",
            $"{version.Status}{(version.Quarantined ? ", quarantined" : "")}, stage {version.Stage}{Aliases(version.Aliases)}"
        );
        flow.Fact("Registered", $"{ReportContent.Text(version.CreatedAt)} by {version.RegisteredBy}");
        flow.Fact("Report made", $"{ReportContent.Text(content.CreatedAt)} by {content.CreatedBy}");
        flow.Fact("Report id", content.Id.ToString());
        flow.Fact("Report in JSON", $"sha256:{json}");
        flow.Fact("Files of the version", $"sha256:{version.ManifestDigest}");
        flow.Fact("Evidence subject", $"sha256:{version.EvidenceSubject}");
        flow.Fact("Promotion policy", $"sha256:{content.Facts.PolicyDigest}");
        flow.Fact(
            "Catalogue",
            $"{content.Catalogue.Regulation}, version {content.Catalogue.Version}, in force since {ReportContent.Text(content.Catalogue.ValidFrom)}, sha256:{content.Catalogue.Digest}"
        );
        flow.Fact("Log checkpoint", Checkpoint(content.Facts.Log.Checkpoint));

        flow.Heading("Summary");
        Boxes(flow, content);
        Gaps(flow, content);

        flow.Heading("How to read this report");
        flow.Paragraph(ReportContent.Note, TextStyle.Body);
        flow.Space(4);
        Legend(flow, ControlState.Met, "Evidence that the gateway holds shows it for exactly this version.");
        Legend(flow, ControlState.Gap, "Evidence speaks against it; the row says which.");
        Legend(
            flow,
            ControlState.NotEvidenced,
            "No evidence either way, or nothing looks for it yet. It isn't passed."
        );

        flow.Heading("How to verify it");
        flow.Paragraph(
            "The JSON, CSV and PDF forms are signed together. Offline, with the gateway's trusted_root.json and nothing else:",
            TextStyle.Body
        );
        flow.Space(2);
        flow.Paragraph("govern verify report.json --trusted-root trusted_root.json", TextStyle.Strong, Page.Left + 12);
        flow.Paragraph(
            "govern verify report.pdf --bundle report.pdf.sigstore.json --trusted-root trusted_root.json",
            TextStyle.Strong,
            Page.Left + 12
        );
        flow.Space(2);
        flow.Paragraph(
            "One changed byte in the JSON or PDF file makes verification fail. People stand in this report by pseudonym.",
            TextStyle.Body
        );
    }

    private static void Boxes(PageFlow flow, ReportContent content)
    {
        const float Height = 46;
        const float Gap = 10;
        var width = (Page.Right - Page.Left - 2 * Gap) / 3;
        flow.Need(Height + 8);
        var (left, top) = (Page.Left, flow.Y);
        foreach (var state in new[] { ControlState.Met, ControlState.Gap, ControlState.NotEvidenced })
        {
            var x = left;
            flow.Draw(canvas =>
            {
                using var fill = new SKPaint { Color = Page.Shade };
                using var edge = new SKPaint { Color = StateMark.ColorOf(state) };
                canvas.DrawRect(x, top, width, Height, fill);
                canvas.DrawRect(x, top, 3, Height, edge);
                StateMark.Shape(canvas, state, x + width - 18, top + Height / 2, 7);
            });
            var count = content.Count(state).ToString(CultureInfo.InvariantCulture);
            flow.Text(count, x + 14, top + 6, TextStyle.Title with { Color = StateMark.ColorOf(state) });
            flow.Text($"{StateMark.WordOf(state)} of {content.Controls.Count}", x + 14, top + 31, TextStyle.Label);
            left += width + Gap;
        }

        flow.Advance(Height + 8);
    }

    private static void Gaps(PageFlow flow, ReportContent content)
    {
        var gaps = content
            .Controls.Where(control => control.State == ControlState.Gap)
            .Select(control => control.Id)
            .ToList();
        flow.Paragraph(
            gaps.Count > 0 ? $"Gaps: {string.Join(", ", gaps)}." : "No evidence speaks against any control.",
            TextStyle.Body
        );
    }

    private static void Legend(PageFlow flow, ControlState state, string text)
    {
        flow.Need(14);
        StateMark.Draw(flow, state, Page.Left, flow.Y);
        flow.Text(text, Page.Left + 84, flow.Y, TextStyle.Small);
        flow.Advance(13);
    }

    private static void Controls(PageFlow flow, ReportContent content, Dictionary<string, int> references)
    {
        flow.Paragraph("Controls", TextStyle.Heading);
        flow.Paragraph("Numbers in brackets point into the list of evidence at the end.", TextStyle.Faint);
        flow.Space(6);
        var table = new Table(
            flow,
            ("Control", 98),
            ("What is asked", 138),
            ("Outcome", 78),
            ("What the evidence shows", 197)
        );
        foreach (var control in content.Controls)
        {
            var cited = string.Join(" ", control.Evidence.Select(text => $"[{references[text]}]").Distinct());
            table.Row(
                new Cell((control.Id, TextStyle.SmallStrong), (control.Article, TextStyle.Faint)),
                Cell.Of(control.Requirement),
                Cell.Of(control.State),
                cited.Length > 0
                    ? new Cell((control.Explanation, TextStyle.Small), (cited, TextStyle.Faint))
                    : Cell.Of(control.Explanation)
            );
        }
    }

    private static void Appendix(PageFlow flow, ReportContent content, Dictionary<string, int> references)
    {
        flow.Heading("Data behind the version");
        Datasets(flow, content.Facts);
        flow.Heading("Evidence of the version");
        Evidence(flow, content.Facts);
        flow.Heading("Decisions");
        Decisions(flow, content.Facts);
        flow.Heading("Evidence cited");
        if (references.Count == 0)
        {
            flow.Paragraph("No control cites evidence.", TextStyle.Body);
        }
        else
        {
            var table = new Table(flow, ("No.", 30), ("Reference", 481));
            foreach (var (text, number) in references.OrderBy(pair => pair.Value))
            {
                table.Row(Cell.Of($"[{number}]"), Cell.Of(text));
            }
        }

        flow.Heading("Law texts");
        foreach (var (key, text) in content.Catalogue.Sources.OrderBy(source => source.Key, StringComparer.Ordinal))
        {
            flow.Fact(key, text);
        }

        if (content.Facts.Log.Checkpoint is { } note)
        {
            flow.Heading("Newest checkpoint of the log");
            foreach (var line in note.TrimEnd('\n').Split('\n'))
            {
                flow.Paragraph(line, TextStyle.Small);
            }
        }
    }

    private static void Datasets(PageFlow flow, VersionFacts facts)
    {
        if (facts.Inputs.Count == 0)
        {
            flow.Paragraph("The version's run names no input dataset.", TextStyle.Body);
            return;
        }

        var table = new Table(flow, ("Dataset", 190), ("Scan and verdict", 150), ("Ground and purpose", 171));
        foreach (var input in facts.Inputs)
        {
            if (input.Dataset is { } dataset)
            {
                table.Row(DatasetCells(dataset, input.Context.Length > 0 ? $"input, {input.Context}" : "input"));
            }
            else
            {
                table.Row(
                    new Cell((input.Name, TextStyle.SmallStrong), ("input, not held here", TextStyle.Faint)),
                    Cell.Of("not known"),
                    Cell.Of("not known")
                );
            }
        }

        foreach (var dataset in facts.Ancestors)
        {
            table.Row(DatasetCells(dataset, "source of an input"));
        }
    }

    private static Cell[] DatasetCells(DatasetView dataset, string role) =>
        [
            new Cell(
                (dataset.Name, TextStyle.SmallStrong),
                (role, TextStyle.Faint),
                ($"sha256:{dataset.Sha256}", TextStyle.Faint)
            ),
            new Cell(
                (
                    $"{dataset.ScanState.ToLowerInvariant()}, {dataset.Verdict.Outcome.ToString().ToLowerInvariant()}",
                    TextStyle.Small
                ),
                ($"{Count(dataset.Rows)} rows, {dataset.Columns.Count} columns", TextStyle.Faint),
                (Anonymity(dataset.Anonymity), TextStyle.Faint)
            ),
            new Cell(
                ($"Ground: {dataset.LegalBasis ?? "none recorded"}", TextStyle.Small),
                ($"Purpose: {dataset.Purpose ?? "none recorded"}", TextStyle.Small)
            ),
        ];

    private static void Evidence(PageFlow flow, VersionFacts facts)
    {
        if (facts.Evidence is null)
        {
            flow.Paragraph("There is no evidence yet.", TextStyle.Body);
            return;
        }

        var table = new Table(flow, ("Kind", 70), ("Outcome", 130), ("Rules", 90), ("Examined, and document", 221));
        foreach (var item in facts.Evidence.Items)
        {
            var missing = item.Outcome == Governance.Evidence.Contracts.EvidenceOutcome.Missing;
            table.Row(
                new Cell((Data.Word(item.Kind), TextStyle.SmallStrong)),
                missing
                    ? Cell.Of("missing")
                    : new Cell(
                        ($"{item.Outcome.ToString().ToLowerInvariant()}, {item.Class}", TextStyle.Small),
                        (ReportContent.Text(item.ProducedAt), TextStyle.Faint)
                    ),
                Cell.Of(item.RulesVersion),
                missing
                    ? Cell.Of("")
                    : new Cell(
                        ($"sha256:{item.Subject}", TextStyle.Faint),
                        (item.Document is { } digest ? $"sha256:{digest}" : "no document", TextStyle.Faint)
                    )
            );
        }
    }

    private static void Decisions(PageFlow flow, VersionFacts facts)
    {
        if (facts.Decisions.Count == 0)
        {
            flow.Paragraph("No decision about the version is recorded.", TextStyle.Body);
            return;
        }

        var table = new Table(flow, ("When and by whom", 150), ("Target", 90), ("Decision", 131), ("Policy", 140));
        foreach (var (decision, replays) in facts.Decisions)
        {
            var replay = replays switch
            {
                true => "same when replayed",
                false => "differs when replayed",
                _ => "policy not found",
            };
            table.Row(
                new Cell((ReportContent.Text(decision.At), TextStyle.Small), (decision.ActorId, TextStyle.Faint)),
                Cell.Of(decision.Target),
                new Cell((decision.Verdict, TextStyle.SmallStrong), (Data.Names(decision.Unmet), TextStyle.Faint)),
                new Cell((replay, TextStyle.Small), ($"sha256:{decision.PolicyDigest}", TextStyle.Faint))
            );
        }
    }

    private static byte[] Render(PageFlow flow, ReportContent content)
    {
        var title = VisibleText.Of(
            $"{content.Catalogue.Regulation.ToUpperInvariant()} evidence report: {content.Version.Model} version {content.Version.Version}",
            Page.CanDraw
        );
        var metadata = SKDocumentPdfMetadata.Default;
        // No text of users gets into the structure of the file: names stand on the pages only, as glyphs.
        metadata.Title = $"{content.Catalogue.Regulation.ToUpperInvariant()} evidence report {content.Id}";
        metadata.Author = "Governance gateway";
        metadata.Subject = $"Report {content.Id}";
        metadata.Creator = "Governance";
        metadata.Producer = "Governance";
        metadata.Creation = content.CreatedAt.UtcDateTime;
        metadata.Modified = content.CreatedAt.UtcDateTime;
        metadata.PdfA = true;
        using var stream = new MemoryStream();
        using (var document = SKDocument.CreatePdf(stream, metadata))
        {
            for (var i = 0; i < flow.Pages.Count; i++)
            {
                var canvas = document.BeginPage(Page.Width, Page.Height);
                foreach (var draw in flow.Pages[i])
                {
                    draw(canvas);
                }

                Margins(canvas, content, title, i + 1, flow.Pages.Count);
                document.EndPage();
            }

            document.Close();
        }

        return stream.ToArray();
    }

    private static void Margins(SKCanvas canvas, ReportContent content, string title, int page, int pages)
    {
        using var line = new SKPaint { Color = Page.Line, StrokeWidth = 0.6f };
        if (page > 1)
        {
            var header = PageFlow.Wrap(title, TextStyle.Faint, Page.Right - Page.Left)[0];
            PageFlow.TextOn(canvas, header, Page.Left, 32, TextStyle.Faint, SKTextAlign.Left);
            canvas.DrawLine(Page.Left, 46, Page.Right, 46, line);
        }

        canvas.DrawLine(Page.Left, Page.Height - 42, Page.Right, Page.Height - 42, line);
        PageFlow.TextOn(canvas, $"Report {content.Id}", Page.Left, Page.Height - 36, TextStyle.Faint, SKTextAlign.Left);
        PageFlow.TextOn(
            canvas,
            $"Page {page} of {pages}",
            Page.Right,
            Page.Height - 36,
            TextStyle.Faint,
            SKTextAlign.Right
        );
    }

    private static string Aliases(IReadOnlyList<string> aliases) =>
        aliases.Count > 0 ? $", aliases {Data.Names(aliases.Order(StringComparer.Ordinal))}" : "";

    private static string Checkpoint(string? note)
    {
        var lines = note?.Split('\n') ?? [];
        return lines.Length > 2 ? $"{lines[0]}, size {lines[1]}, root {lines[2]}" : "none yet";
    }

    private static string Count(long? rows) =>
        rows?.ToString("N0", CultureInfo.InvariantCulture) ?? "unknown number of";

    private static string Anonymity(AnonymityMeasure? measure) =>
        measure is null
            ? "no quasi-identifiers set"
            : $"k = {measure.K} (least {measure.LeastK}) over {Data.Names(measure.QuasiIdentifiers)}"
                + (measure.L is { } l ? $", l = {l}" : "");
}
