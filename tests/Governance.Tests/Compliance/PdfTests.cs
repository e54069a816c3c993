using System.Text;
using System.Text.RegularExpressions;
using Governance.Compliance.Engine;
using Governance.Compliance.Pdf;
using Governance.Kernel;

namespace Governance.Tests.Compliance;

public sealed class PdfTests
{
    [Fact]
    public void A_report_is_a_pdf_that_claims_pdf_a_and_holds_its_fonts()
    {
        var pdf = Render(Sample.Content("gdpr", Sample.Raw()));

        Assert.StartsWith("%PDF-", pdf);
        Assert.Contains("pdfaid:part>2<", pdf);
        Assert.Contains("pdfaid:conformance>B<", pdf);
        Assert.Contains("/FontFile2", pdf);
        Assert.Contains("LiberationSans", pdf);
    }

    [Fact]
    public void A_report_has_no_actions_links_scripts_or_attachments()
    {
        var pdf = Render(Sample.Content("hipaa", Sample.Raw()));

        foreach (
            var name in new[]
            {
                "/JS",
                "/JavaScript",
                "/AA",
                "/OpenAction",
                "/Launch",
                "/URI",
                "/EmbeddedFile",
                "/Annots",
            }
        )
        {
            Assert.DoesNotMatch(Regex.Escape(name) + @"[\s/<\[(]", pdf);
        }
    }

    [Fact]
    public void Hostile_names_do_not_break_out_of_text_or_title()
    {
        var facts = Sample.Facts(Sample.Dataset("x) /JS (app.alert(1)) \u202Efdp.exe\u0000\u200B\uD800"));
        facts = facts with
        {
            Version = facts.Version with { Ref = new ModelVersionRef(")>> /Launch \u202E \u0007", 1) },
        };

        var pdf = Render(Sample.Content("lgpd", facts));

        Assert.DoesNotContain("/JS", pdf);
        Assert.DoesNotContain("/Launch", pdf);
    }

    [Fact]
    public void Invisible_and_reordering_characters_are_shown_as_codes()
    {
        Assert.Equal("a[U+202E]b[U+0000][U+200B][U+D800]c é", VisibleText.Of("a\u202Eb\0\u200B\uD800c é"));
    }

    [Fact]
    public void Long_words_are_broken_within_their_column()
    {
        foreach (var line in PageFlow.Wrap(new string('W', 500), TextStyle.Small, 100))
        {
            Assert.True(PageFlow.Measure(line, TextStyle.Small) <= 100);
        }
    }

    [Fact]
    public void Every_control_of_every_regulation_finds_its_place_on_the_pages()
    {
        foreach (var regulation in new[] { "gdpr", "lgpd", "hipaa" })
        {
            var content = Sample.Content(regulation, Sample.Raw());
            var pdf = ReportPdf.Of(content, Digest.Of("json"));
            Save(pdf, regulation);

            Assert.True(pdf.Length > 10_000);
        }

        Save(ReportPdf.Of(Sample.Content("gdpr"), Digest.Of("json")), "gdpr-good");
    }

    // Set GOVERNANCE_PDF_DIR to look at the pages.
    private static void Save(byte[] pdf, string name)
    {
        if (Environment.GetEnvironmentVariable("GOVERNANCE_PDF_DIR") is { } directory)
        {
            File.WriteAllBytes(Path.Combine(directory, name + ".pdf"), pdf);
        }
    }

    private static string Render(ReportContent content) =>
        Encoding.Latin1.GetString(ReportPdf.Of(content, Digest.Of("json")));
}
